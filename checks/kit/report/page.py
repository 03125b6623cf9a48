"""A run as one HTML page that needs nothing else: verdicts, reasons, remedies, and how earlier runs went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from checks.kit.check import SEVERITIES
from checks.kit.report.history import Past
from checks.kit.results import Result, Run
from checks.kit.verdict import VERDICTS
from slipway.reports.page import render

TEMPLATE = Path(__file__).with_name("page.html.j2")


def page(run: Run, past: Sequence[Past]) -> str:
    """The HTML text. `past` holds this run too, as its last."""
    return render(
        TEMPLATE,
        {},
        run=run,
        groups=_groups(run.results),
        counts=run.counts,
        severities=SEVERITIES,
        past=past,
        tallest=max((sum(each.counts.values()) for each in past), default=1) or 1,
    )


def _groups(results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    """By the first row of the checklist: those with a failure first, else in the checklist's order.

    Inside, the worst verdict first.
    """
    failed = {result.rows[0] for result in results if result.verdict == "fail"}
    rows = sorted(
        {result.rows[0] for result in results},
        key=lambda row: (row not in failed, "PISX".index(row[0]), int(row[1:])),
    )
    return [(row, sorted((each for each in results if each.rows[0] == row), key=_urgency)) for row in rows]


def _urgency(result: Result) -> tuple[int, int, str, str]:
    return VERDICTS.index(result.verdict), SEVERITIES.index(result.severity), result.id, result.host
