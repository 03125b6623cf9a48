"""What a run of checks came to, as the reports and the history hold it. All texts in here are redacted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from checks.kit.check import VERDICTS, Check, Severity, Verdict
from slipway.reports import add_run, read_runs

HISTORY = "history.jsonl"
KEPT = 50
"""Runs in the history."""


class Changes(BaseModel):
    """What is different from an earlier run of the same selection."""

    model_config = ConfigDict(frozen=True)

    since: datetime | None = None
    """When that run started; None: there was none."""
    release: int | None = None
    failed: tuple[str, ...] = ()
    """Ids of the checks that failed in this run and did not in that one."""
    repaired: tuple[str, ...] = ()
    """Ids of the checks that failed in that run and passed in this one."""


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
    selection: str = ""
    """The options that narrowed or widened the run; empty: all checks."""
    settings: str = "slipway.toml"
    """Path of the app's settings in its repository."""
    changes: Changes = Changes()
    """What is different from the last run."""
    older: tuple[str, ...] = ()
    """With --since-release, ids of failures that the release before had too; they do not count."""

    def count(self, verdict: Verdict) -> int:
        """Number of checks with `verdict`; one that runs on several hosts has its worst."""
        return self.counts[verdict]

    @property
    def counts(self) -> dict[Verdict, int]:
        """Number of checks by verdict, the worst first."""
        worst: dict[str, int] = {}
        for each in self.results:
            rank = VERDICTS.index(each.verdict)
            worst[each.id] = min(rank, worst.get(each.id, rank))
        found = list(worst.values())
        return {verdict: found.count(rank) for rank, verdict in enumerate(VERDICTS)}

    @property
    def good(self) -> bool:
        """Whether something passed, nothing failed, and all that was to run could be tried."""
        return self.count("pass") > 0 and not self.counting and not self.count("could not be tried")

    @property
    def failed(self) -> list[Result]:
        """The results that failed, in the order of the run."""
        return [result for result in self.results if result.verdict == "fail"]

    @property
    def counting(self) -> list[Result]:
        """The results that failed, without those that are older than the release (--since-release)."""
        return [result for result in self.failed if result.id not in self.older]


class Past(BaseModel):
    """One run in the history: a line of JSON."""

    started: datetime
    seconds: float
    release: int | None
    counts: dict[Verdict, int]
    failed: list[str]
    """Ids of the checks that failed."""
    selection: str = ""


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


def history(folder: Path) -> list[Past]:
    """The earlier runs whose reports went to `folder`, oldest first."""
    return read_runs(folder / HISTORY, Past)


def remember(run: Run, file: Path) -> list[Past]:
    """Add `run` to the history in `file`; returns the whole history, oldest first."""
    past = Past(
        started=run.started,
        seconds=run.seconds,
        release=run.release,
        counts=run.counts,
        failed=sorted({result.id for result in run.failed}),
        selection=run.selection,
    )
    return add_run(file, past, kept=KEPT)


def compared(run: Run, history: Sequence[Past], *, since_release: bool = False) -> Run:
    """`run` with what changed since the last run of the same selection in `history`, oldest first. Pure.

    With `since_release`, failures that the last run of an earlier release had too are `older`.
    """
    same = [past for past in history if past.selection == run.selection]
    changes, older = Changes(), ()
    failed = {result.id for result in run.failed}
    if same:
        passed = {result.id for result in run.results if result.verdict == "pass"} - failed
        before = set(same[-1].failed)
        changes = Changes(
            since=same[-1].started,
            release=same[-1].release,
            failed=tuple(sorted(failed - before)),
            repaired=tuple(sorted(before & passed)),
        )
    earlier = [past for past in same if past.release != run.release]
    if since_release and earlier:
        older = tuple(sorted(failed & set(earlier[-1].failed)))
    return run.model_copy(update={"changes": changes, "older": older})
