"""The reports of a run: terminal, one HTML page with history, JSON, JUnit, SARIF, a CI job's summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from checks.kit.check import SEVERITIES, VERDICTS, Verdict, row_order
from checks.kit.results import HISTORY, Past, Result, Run, remember
from checks.kit.rows import heading, link_to_asvs, link_to_matrix, sentence
from checks.kit.sarif import sarif
from slipway import reports
from slipway.reports import Case, cell, printable

TEMPLATE = Path(__file__).with_name("report.html.j2")
LONGEST = 600
"""Characters of a reason that the terminal shows; the reports have all."""
_COLOURS: dict[str, str] = {
    "fail": "red", "could not be tried": "magenta", "waived": "cyan", "pass": "green",
    "not evaluated": "yellow", "skipped": "dim",
}  # fmt: skip
ALWAYS_SHOWN: tuple[Verdict, ...] = ("fail", "pass")
"""Verdicts whose count is shown even if it is 0."""
FIRST: dict[Verdict, str] = {
    "fail": "What failed",
    "could not be tried": "What could not be tried",
    "waived": "What is accepted for now",
}
"""Verdicts that a reader looks for first, each in its own section, worst severity first."""


@dataclass(frozen=True)
class Line:
    """One check in a report, with its result on each host."""

    results: tuple[Result, ...]
    """Worst first."""
    reasons: tuple[tuple[str, str], ...] = field(default=())
    """The reasons, each with the hosts that have it (`web1, web2`; empty: the stack)."""

    @classmethod
    def of(cls, results: Iterable[Result]) -> Line:
        """The line of one check's `results`."""
        ordered = sorted(results, key=lambda each: VERDICTS.index(each.verdict))
        worst = ordered[0].verdict
        hosts: dict[str, list[str]] = {}
        for each in ordered:
            if each.verdict == worst and each.reason:
                hosts.setdefault(each.reason, []).extend([each.host] if each.host else [])
        return cls(tuple(ordered), tuple((", ".join(names), reason) for reason, names in hosts.items()))

    @property
    def check(self) -> Result:
        """Its worst result, which has the check's own words."""
        return self.results[0]

    @property
    def verdict(self) -> Verdict:
        return self.check.verdict

    @property
    def hosts(self) -> list[Result]:
        """Its results by host, in the order of their names; empty for a check of the whole stack."""
        return sorted((each for each in self.results if each.host), key=lambda each: each.host)

    @property
    def seconds(self) -> float:
        return sum(each.seconds for each in self.results)

    @property
    def sort_key(self) -> tuple[int, int, tuple[int, int], str]:
        check = self.check
        return (
            VERDICTS.index(check.verdict),
            SEVERITIES.index(check.severity),
            row_order(check.rows[0]),
            check.id,
        )


def lines_of(results: Iterable[Result]) -> list[Line]:
    """One line a check: failures first, the worst severity first."""
    by_check: dict[str, list[Result]] = {}
    for each in results:
        by_check.setdefault(each.id, []).append(each)
    return sorted((Line.of(each) for each in by_check.values()), key=lambda line: line.sort_key)


def write_reports(run: Run, folder: Path) -> list[Path]:
    """Write `run` into `folder`, add it to the history and to the CI job's summary; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    past = remember(run, folder / HISTORY)
    reports.add_to_ci_summary(markdown(run))
    return [
        reports.write_whole(folder / "report.html", page(run, past)),
        reports.write_whole(folder / "results.json", run.model_dump_json(indent=1) + "\n"),
        reports.write_whole(folder / "junit.xml", junit(run)),
        reports.write_whole(folder / "results.sarif", sarif(run)),
    ]


def show(run: Run, paths: Sequence[Path], console: Console | None = None) -> None:
    """Print `run`: what failed with its remedy, what did not run and why, the counts, and `paths`.

    Ids are never broken across lines.
    """
    out = console or Console(highlight=False)
    out.print()
    lines = lines_of(run.results)
    for line in lines:
        if line.verdict in ("fail", "waived"):
            _show_line(line, run, out)
    for (verdict, reason), names in _by_reason(lines).items():
        out.print(f"[{_COLOURS[verdict]}]{verdict:<18}[/] {_shown(reason)}", soft_wrap=True)
        out.print(f"{'':19}[dim]{', '.join(names)}[/]", soft_wrap=True)
    if not run.count("pass") and not run.count("fail") and not run.count("waived"):
        nothing = "every check was skipped or not evaluated" if run.results else "no check ran"
        if run.count("could not be tried"):
            nothing = "no check could be tried"
        out.print(f"[red]Nothing was proved: {nothing}.[/]")
    for changed in changes_in_words(run):
        out.print(_shown(changed), soft_wrap=True)
    counts = ", ".join(
        f"[{_COLOURS[verdict]}]{count} {verdict}[/]" for verdict, count in shown_counts(run).items()
    )
    release = f", release {run.release}" if run.release else ""
    out.print(f"{escape(run.stack)} at {run.url}{release}: {counts} in {run.seconds:.1f} s", soft_wrap=True)
    for path in paths:
        out.print(f"[dim]{escape(str(path))}[/]", soft_wrap=True)


def _show_line(line: Line, run: Run, out: Console) -> None:
    check = line.check
    new = " [red]new[/]" if check.id in run.changes.failed else ""
    new = " [dim]older than this release[/]" if check.id in run.older else new
    where = f" on {line.reasons[0][0]}" if len(line.reasons) == 1 and line.reasons[0][0] else ""
    start = f"[{_COLOURS[line.verdict]}]{line.verdict:<18}[/]"
    out.print(f"{start} {check.id} [dim]({check.severity}){where}[/]{new}", soft_wrap=True)
    for hosts, reason in line.reasons:
        before = f"{hosts}: " if hosts and len(line.reasons) > 1 else ""
        out.print(f"{'':19}{_shown(before + reason)}", soft_wrap=True)
    if line.verdict == "fail":
        out.print(f"{'':19}[dim]→ {escape(check.remedy)}[/]", soft_wrap=True)


def _shown(text: str) -> str:
    """An answer of the site in a reason gives the terminal no orders, and is not read as markup."""
    return escape(printable(text[:LONGEST]))


def _by_reason(lines: Iterable[Line]) -> dict[tuple[str, str], list[str]]:
    """By verdict and reason, the checks that did not run: one missing key usually concerns several."""
    found: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        if line.verdict in ("could not be tried", "not evaluated", "skipped"):
            reason = "; ".join(reason for _, reason in line.reasons)
            found.setdefault((line.verdict, reason), []).append(line.check.id)
    return found


def shown_counts(run: Run) -> dict[Verdict, int]:
    """The counts that are worth showing: of every verdict that occurs, and of fail and pass."""
    return {verdict: count for verdict, count in run.counts.items() if count or verdict in ALWAYS_SHOWN}


def changes_in_words(run: Run) -> list[str]:
    """What changed since the last run of the same selection, and what --since-release left out."""
    changes, said = run.changes, list[str]()
    if changes.failed and changes.since:
        said.append(f"Newly failed since {changes.since:%Y-%m-%d %H:%M} UTC: {', '.join(changes.failed)}")
    if changes.repaired:
        said.append(f"Repaired: {', '.join(changes.repaired)}")
    if run.older:
        said.append(f"Failed before release {run.release} too, and not counted: {', '.join(run.older)}")
    return said


def page(run: Run, past: Sequence[Past]) -> str:
    """The HTML page. `past` holds this run too, as its last."""
    return reports.render(
        TEMPLATE,
        {"heading": heading, "sentence": sentence, "asvs": link_to_asvs, "matrix": link_to_matrix},
        run=run,
        sections=_sections(run),
        counts=run.counts,
        past=past,
        tallest=max((sum(each.counts.values()) for each in past), default=1) or 1,
    )


def _sections(run: Run) -> list[tuple[str, list[Line]]]:
    """Headings with their lines: what failed, could not be tried or is waived, then the rest by row."""
    lines = lines_of(run.results)
    found = [(title, [line for line in lines if line.verdict == verdict]) for verdict, title in FIRST.items()]
    rest = [line for line in lines if line.verdict not in FIRST]
    rows = sorted({line.check.rows[0] for line in rest}, key=row_order)
    found += [(heading(row), [line for line in rest if line.check.rows[0] == row]) for row in rows]
    return [(title, those) for title, those in found if those]


def junit(run: Run) -> str:
    """JUnit XML. pytest's own --junitxml has neither "not evaluated" nor the remedy."""
    return reports.junit(f"checks of {run.stack}", run.started, run.seconds, map(_case, run.results))


def markdown(run: Run) -> str:
    """The summary of a CI job: the counts, what changed, and what failed with its remedy."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in shown_counts(run).items())
    release = "" if run.release is None else f", release {run.release}"
    verdict = "passed" if run.good else "**failed**" if run.counting else "**could not be carried through**"
    lines = [f"### {cell(run.stack)}: checks {verdict}", "", f"{counts} in {run.seconds:.0f} s{release}.", ""]
    lines += [f"- {cell(sentence)}" for sentence in changes_in_words(run)] + [""] * bool(
        changes_in_words(run)
    )
    shown = [line for line in lines_of(run.results) if line.verdict in FIRST]
    if shown:
        lines += ["| verdict | check | on | what was found | remedy |", "|---|---|---|---|---|"]
        lines += [
            reports.row(
                *map(cell, (line.verdict, f"{line.check.id} ({line.check.severity})", hosts, reason)),
                cell(line.check.remedy if line.verdict == "fail" else ""),
            )
            for line in shown
            for hosts, reason in line.reasons or (("", ""),)
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
        error=result.reason if result.verdict == "could not be tried" else "",
        details=f"severity: {result.severity}\nremedy: {result.remedy}",
        skipped="" if failed or result.verdict == "pass" else f"{result.verdict}: {result.reason}",
    )
