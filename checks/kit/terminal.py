"""The run as a table: what failed with its remedy, what was not evaluated and why, and the sum."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from checks.kit.check import SEVERITIES
from checks.kit.results import Result, Run

_COLOURS = {"pass": "green", "fail": "red", "not evaluated": "yellow", "skipped": "dim"}


def show(run: Run, paths: Sequence[Path], console: Console | None = None) -> None:
    """Prints `run`; `paths` are the reports that were written."""
    out = console or Console()
    rest = [result for result in run.results if result.verdict != "pass"]
    if rest:
        out.print(_table(sorted(rest, key=_urgency)))
    sums = ", ".join(f"[{_COLOURS[verdict]}]{count} {verdict}[/]" for verdict, count in run.counts.items())
    out.print(f"\n{run.stack} at {run.url}, release {run.release or '-'}: {sums} in {run.seconds:.1f} s")
    for path in paths:
        out.print(f"[dim]{path}[/]", soft_wrap=True)


def _table(results: Sequence[Result]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("check", "host", "severity", "verdict", "reason and remedy"):
        table.add_column(name, overflow="fold")
    for result in results:
        more = f"\n[dim]→ {result.remedy}[/]" if result.verdict == "fail" else ""
        colour = _COLOURS[result.verdict]
        table.add_row(
            result.id, result.host, result.severity, f"[{colour}]{result.verdict}[/]", result.reason + more
        )
    return table


def _urgency(result: Result) -> tuple[bool, int, str]:
    return result.verdict != "fail", SEVERITIES.index(result.severity), result.id
