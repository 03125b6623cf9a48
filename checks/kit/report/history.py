"""What earlier runs came to: one line of JSON a run, the newest last."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from checks.kit.results import Run
from checks.kit.verdict import Verdict

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
    """Adds `run` to the history in `file`; returns all of it, oldest first. Unreadable lines are let go."""
    past = [*_read(file), _of(run)][-KEPT:]
    fresh = file.with_suffix(".new")
    fresh.write_text("".join(f"{each.model_dump_json()}\n" for each in past))
    fresh.replace(file)
    return past


def _read(file: Path) -> list[Past]:
    found: list[Past] = []
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            found.append(Past.model_validate_json(line))
        except ValidationError:
            continue
    return found


def _of(run: Run) -> Past:
    failed = sorted({result.id for result in run.results if result.verdict == "fail"})
    return Past(
        started=run.started, seconds=run.seconds, release=run.release, counts=run.counts, failed=failed
    )
