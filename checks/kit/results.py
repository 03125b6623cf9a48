"""What a run of checks came to, as the reports and the history hold it. All texts in here are redacted."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from checks.kit.check import VERDICTS, Check, Severity, Verdict
from slipway.reports import add_run

KEPT = 50
"""Runs in the history."""


class Result(BaseModel):
    """The result of one check on one host, or on the stack as a whole."""

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
    """The live release; None if the ledger could not be read or has none."""
    started: datetime
    seconds: float
    results: list[Result]

    def count(self, verdict: Verdict) -> int:
        """Number of results with `verdict`."""
        return sum(result.verdict == verdict for result in self.results)

    @property
    def counts(self) -> dict[Verdict, int]:
        """Number of results by verdict, the worst first."""
        return {verdict: self.count(verdict) for verdict in VERDICTS}

    @property
    def good(self) -> bool:
        """Whether something passed, nothing failed, and all that was to run could be tried."""
        return self.count("pass") > 0 and not self.count("fail") and not self.count("could not be tried")

    @property
    def failed(self) -> list[Result]:
        """The results that failed, in the order of the run."""
        return [result for result in self.results if result.verdict == "fail"]


class Past(BaseModel):
    """One run in the history: a line of JSON."""

    started: datetime
    seconds: float
    release: int | None
    counts: dict[Verdict, int]
    failed: list[str]
    """Ids of the checks that failed."""


def result_of(check: Check, verdict: Verdict, *, host: str, reason: str, seconds: float) -> Result:
    """The result of `check` on `host`."""
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


def remember(run: Run, file: Path) -> list[Past]:
    """Add `run` to the history in `file`; returns the whole history, oldest first."""
    past = Past(
        started=run.started,
        seconds=run.seconds,
        release=run.release,
        counts=run.counts,
        failed=sorted({result.id for result in run.failed}),
    )
    return add_run(file, past, kept=KEPT)
