"""The run in a terminal: what failed with its remedy, what was not evaluated and why, and the sum."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from checks.kit.check import SEVERITIES
from checks.kit.results import Result, Run

_COLOURS = {"pass": "green", "fail": "red", "not evaluated": "yellow", "skipped": "dim"}
LONGEST = 600
"""Characters of a reason that are shown; the reports have all."""


def show(run: Run, paths: Sequence[Path], console: Console | None = None) -> None:
    """Prints `run`; `paths` are the reports that were written. Ids are never broken in two."""
    out = console or Console(highlight=False)
    out.print()
    rest = sorted((result for result in run.results if result.verdict != "pass"), key=_by_severity)
    for (verdict, check, severity, reason, remedy), hosts in _alike(rest).items():
        where = f" on {', '.join(hosts)}" if hosts else ""
        out.print(
            f"[{_COLOURS[verdict]}]{verdict:<13}[/] {check} [dim]({severity}){where}[/]", soft_wrap=True
        )
        out.print(f"{'':14}{escape(reason[:LONGEST])}", soft_wrap=True)
        if verdict == "fail":
            out.print(f"{'':14}[dim]→ {escape(remedy)}[/]", soft_wrap=True)
    if not run.good and not run.count("fail"):
        nothing = "every check was skipped or not evaluated" if run.results else "no check ran"
        out.print(f"[red]Nothing was proved: {nothing}.[/]")
    sums = ", ".join(f"[{_COLOURS[verdict]}]{count} {verdict}[/]" for verdict, count in run.counts.items())
    release = f", release {run.release}" if run.release else ""
    out.print(f"{escape(run.stack)} at {run.url}{release}: {sums} in {run.seconds:.1f} s", soft_wrap=True)
    for path in paths:
        out.print(f"[dim]{escape(str(path))}[/]", soft_wrap=True)


def _alike(results: Sequence[Result]) -> dict[tuple[str, str, str, str, str], list[str]]:
    """What several hosts have in common is said once: the hosts by what was found."""
    found: dict[tuple[str, str, str, str, str], list[str]] = {}
    for each in results:
        hosts = found.setdefault((each.verdict, each.id, each.severity, each.reason, each.remedy), [])
        if each.host:
            hosts.append(each.host)
    return found


def _by_severity(result: Result) -> tuple[bool, int, str]:
    return result.verdict != "fail", SEVERITIES.index(result.severity), result.id
