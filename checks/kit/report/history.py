"""What earlier runs came to: one line of JSON a run, the newest last."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from checks.kit.results import Run
from checks.kit.verdict import Verdict
from slipway.reports.past_runs import add_run

KEPT = 50
"""Runs."""


class Past(BaseModel):
    """One earlier run."""

    started: datetime
    seconds: float
    release: int | None
    counts: dict[Verdict, int]
    failed: list[str]
    """Ids of the checks that failed."""


def remember(run: Run, file: Path) -> list[Past]:
    """Adds `run` to the history in `file`; returns all of it, oldest first."""
    return add_run(file, _of(run), kept=KEPT)


def _of(run: Run) -> Past:
    failed = sorted({result.id for result in run.results if result.verdict == "fail"})
    return Past(
        started=run.started, seconds=run.seconds, release=run.release, counts=run.counts, failed=failed
    )
