"""The results of a run, as the reports and the history keep them. Everything in here is redacted."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from checks.kit.check import Check, Severity
from checks.kit.verdict import VERDICTS, Verdict


class Result(BaseModel):
    """One check on one host, or on the stack as a whole."""

    model_config = ConfigDict(frozen=True)

    id: str
    rows: tuple[str, ...]
    title: str
    severity: Severity
    verdict: Verdict
    host: str = ""
    """Name of the host; empty: the stack."""
    reason: str = ""
    """Why it failed, was skipped or not evaluated."""
    why: str = ""
    remedy: str = ""
    asvs: str = ""
    standard: str = ""
    seconds: float = 0.0


class Run(BaseModel):
    """One run of the checks."""

    model_config = ConfigDict(frozen=True)

    stack: str
    url: str
    release: int | None = None
    """The live release, if the ledger told."""
    started: datetime
    seconds: float
    results: list[Result]

    def count(self, verdict: Verdict) -> int:
        """How many results came to `verdict`."""
        return sum(result.verdict == verdict for result in self.results)

    @property
    def counts(self) -> dict[Verdict, int]:
        """By verdict, the worst first."""
        return {verdict: self.count(verdict) for verdict in VERDICTS}

    @property
    def good(self) -> bool:
        """Did something run, and nothing fail?"""
        return self.count("pass") > 0 and self.count("fail") == 0


def result_of(check: Check, verdict: Verdict, *, host: str, reason: str, seconds: float) -> Result:
    """The result of `check`."""
    return Result(
        id=check.id,
        rows=check.rows,
        title=check.title,
        severity=check.severity,
        verdict=verdict,
        host=host,
        reason=reason,
        why=check.why,
        remedy=check.remedy,
        asvs=check.asvs,
        standard=check.standard,
        seconds=round(seconds, 3),
    )
