"""The reports of a run: terminal, one HTML page with history, JSON, JUnit, and the summary of a CI job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from checks.kit.check import SEVERITIES, VERDICTS, Verdict, row_order
from checks.kit.results import Past, Result, Run, remember
from slipway import reports
from slipway.reports import Case, cell

TEMPLATE = Path(__file__).with_name("report.html.j2")
LONGEST = 600
"""Characters of a reason that the terminal shows; the reports have all."""
_COLOURS: dict[str, str] = {
    "fail": "red", "could not be tried": "magenta", "waived": "cyan", "pass": "green",
    "not evaluated": "yellow", "skipped": "dim",
}  # fmt: skip
ALWAYS_SHOWN: tuple[Verdict, ...] = ("fail", "pass")
"""Verdicts whose count is shown even if it is 0."""


def write_reports(run: Run, folder: Path) -> list[Path]:
    """Write `run` into `folder`, add it to the history and to the CI job's summary; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    past = remember(run, folder / "history.jsonl")
    reports.add_to_ci_summary(markdown(run))
    return [
        reports.write_whole(folder / "report.html", page(run, past)),
        reports.write_whole(folder / "results.json", run.model_dump_json(indent=1) + "\n"),
        reports.write_whole(folder / "junit.xml", junit(run)),
    ]


def show(run: Run, paths: Sequence[Path], console: Console | None = None) -> None:
    """Print `run`: what failed with its remedy, what was not evaluated and why, the counts, and `paths`.

    Ids are never broken across lines.
    """
    out = console or Console(highlight=False)
    out.print()
    rest = sorted((result for result in run.results if result.verdict != "pass"), key=_failed_first)
    for (verdict, check, severity, reason, remedy), hosts in _same_on_several_hosts(rest).items():
        where = f" on {', '.join(hosts)}" if hosts else ""
        out.print(
            f"[{_COLOURS[verdict]}]{verdict:<18}[/] {check} [dim]({severity}){where}[/]", soft_wrap=True
        )
        out.print(f"{'':19}{escape(reason[:LONGEST])}", soft_wrap=True)
        if verdict == "fail":
            out.print(f"{'':19}[dim]→ {escape(remedy)}[/]", soft_wrap=True)
    if not run.count("pass") and not run.count("fail") and not run.count("waived"):
        nothing = "every check was skipped or not evaluated" if run.results else "no check ran"
        if run.count("could not be tried"):
            nothing = "no check could be tried"
        out.print(f"[red]Nothing was proved: {nothing}.[/]")
    counts = ", ".join(
        f"[{_COLOURS[verdict]}]{count} {verdict}[/]" for verdict, count in shown_counts(run).items()
    )
    release = f", release {run.release}" if run.release else ""
    out.print(f"{escape(run.stack)} at {run.url}{release}: {counts} in {run.seconds:.1f} s", soft_wrap=True)
    for path in paths:
        out.print(f"[dim]{escape(str(path))}[/]", soft_wrap=True)


def shown_counts(run: Run) -> dict[Verdict, int]:
    """The counts that are worth showing: of every verdict that occurs, and of fail and pass."""
    return {verdict: count for verdict, count in run.counts.items() if count or verdict in ALWAYS_SHOWN}


def page(run: Run, past: Sequence[Past]) -> str:
    """The HTML page. `past` holds this run too, as its last."""
    return reports.render(
        TEMPLATE,
        {},
        run=run,
        groups=_by_row(run.results),
        counts=run.counts,
        past=past,
        tallest=max((sum(each.counts.values()) for each in past), default=1) or 1,
    )


def junit(run: Run) -> str:
    """JUnit XML. pytest's own --junitxml has neither "not evaluated" nor the remedy."""
    return reports.junit(f"checks of {run.stack}", run.started, run.seconds, map(_case, run.results))


def markdown(run: Run) -> str:
    """The summary of a CI job: the counts, and what failed with its remedy."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in shown_counts(run).items())
    release = "" if run.release is None else f", release {run.release}"
    lines = [
        f"### {cell(run.stack)}: checks {'passed' if run.good else '**failed**'}",
        "",
        f"{counts} in {run.seconds:.0f} s{release}.",
        "",
    ]
    if run.failed:
        lines += ["| check | on | what was found | remedy |", "|---|---|---|---|"]
        lines += [
            reports.row(*map(cell, (each.id, each.host, each.reason, each.remedy))) for each in run.failed
        ]
        lines.append("")
    return "\n".join(lines)


def _case(result: Result) -> Case:
    row, _, name = result.id.partition("/")
    failed = result.verdict == "fail"
    return Case(
        classname=f"checks.{row}",
        name=f"{name}[{result.host}]" if result.host else name,
        seconds=result.seconds,
        failure=(result.reason or "failed") if failed else "",
        details=f"severity: {result.severity}\nremedy: {result.remedy}",
        skipped="" if failed or result.verdict == "pass" else f"{result.verdict}: {result.reason}",
    )


def _by_row(results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    """Results by the first row of their check: rows with a failure first, then the worst verdict first."""
    failed = {result.rows[0] for result in results if result.verdict == "fail"}
    rows = sorted({result.rows[0] for result in results}, key=lambda row: (row not in failed, row_order(row)))

    def worst_first(result: Result) -> tuple[int, int, str, str]:
        return VERDICTS.index(result.verdict), SEVERITIES.index(result.severity), result.id, result.host

    return [(row, sorted((each for each in results if each.rows[0] == row), key=worst_first)) for row in rows]


def _same_on_several_hosts(results: Sequence[Result]) -> dict[tuple[str, str, str, str, str], list[str]]:
    """By verdict, id, severity, reason and remedy, the hosts for which they are the same."""
    found: dict[tuple[str, str, str, str, str], list[str]] = {}
    for each in results:
        hosts = found.setdefault((each.verdict, each.id, each.severity, each.reason, each.remedy), [])
        if each.host:
            hosts.append(each.host)
    return found


def _failed_first(result: Result) -> tuple[int, int, str]:
    return VERDICTS.index(result.verdict), SEVERITIES.index(result.severity), result.id
