"""A load run as JUnit XML: a test case for each threshold."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from slipway.traffic.report.history import Past, changes
from slipway.traffic.results import RunResult
from slipway.traffic.thresholds import DASH, ThresholdResult


def junit(run: RunResult) -> str:
    """The XML text. No data is a failure here too; `not judged` is skipped."""
    suite = Xml.Element(
        "testsuite",
        name=f"{run.profile} load on {run.stack}",
        timestamp=run.started.isoformat(timespec="seconds"),
        time=f"{run.seconds:.3f}",
        tests=str(len(run.thresholds) + 1),
        failures=str(run.counts["fail"] + run.counts["no data"] + (not run.passed)),
        skipped=str(run.counts["not judged"]),
        errors="0",
    )
    suite.append(_whole(run))
    for finding in run.thresholds:
        suite.append(_case(finding))
    return Xml.tostring(suite, encoding="unicode", xml_declaration=True)


def _whole(run: RunResult) -> Xml.Element:
    """The run as a case of its own: a run without a finding cannot look green."""
    case = Xml.Element("testcase", classname="load", name="run", time=f"{run.seconds:.3f}")
    if not run.passed:
        failure = Xml.SubElement(case, "failure", message=run.exit_code.meaning)
        failure.text = f"exit code {run.exit_code.value}: {run.exit_code.meaning}\n{run.why_ended}".strip()
    return case


def _case(finding: ThresholdResult) -> Xml.Element:
    case = Xml.Element(
        "testcase",
        classname=f"load.{finding.kind or 'run'}",
        name=f"{finding.name} {finding.measure}".strip(),
        time="0",
    )
    if finding.verdict in {"fail", "no data"}:
        failure = Xml.SubElement(case, "failure", message=finding.sentence)
        failure.text = f"{finding.sentence}\nsamples: {finding.samples}"
    elif finding.verdict == "not judged":
        Xml.SubElement(case, "skipped", message=finding.sentence)
    return case


MOST_MISSED = 30
"""Rows of what was missed; the rest is on the HTML page."""


def markdown(run: RunResult, past: Sequence[Past]) -> str:
    """The text. `past`: runs of this profile, this one last."""
    release = "" if run.release is None else f", release {run.release}"
    lines = [
        f"### {_cell(run.stack)}: {_cell(run.profile)} load {'passed' if run.passed else '**failed**'}",
        "",
        f"Exit code {run.exit_code.value}: {run.exit_code.meaning}. {run.seconds:.0f} s{release}, "
        f"{sum(each.count for each in run.requests):,} samples, "
        f"{sum(each.failed for each in run.requests):,} errors"
        + (f", {run.dropped:,} visits dropped" if run.dropped else "")
        + (
            f", {run.sockets_peak:,} of {run.sockets_asked:,} sockets at the peak"
            if run.sockets_asked
            else ""
        )
        + ".",
        "",
    ]
    if run.why_ended:
        lines += [f"ConnectionEnded early: {_cell(run.why_ended)}.", ""]
    missed = [each for each in run.thresholds if each.verdict in {"fail", "no data"}]
    if missed:
        lines += ["| verdict | of | what | found | limit |", "|---|---|---|---|---|"]
        lines += [
            _row(each.verdict, *map(_cell, (each.subject, each.measure, each.found, each.limit)))
            for each in missed[:MOST_MISSED]
        ]
        if len(missed) > MOST_MISSED:
            lines.append(_row("…", f"{len(missed) - MOST_MISSED} more", "", "", ""))
        lines.append("")
    if run.requests:
        lines += [*_requests(run, past), ""]
    return "\n".join(lines)


def _requests(run: RunResult, past: Sequence[Past]) -> list[str]:
    changed = (
        {(each.kind, each.name): each.direction for each in changes(past[-2], past[-1])}
        if len(past) > 1
        else {}
    )
    head = "| kind | name | count | errors | p50 | p95 | p99 | since the last run |"
    return [
        head,
        "|---|---|--:|--:|--:|--:|--:|---|",
        *(
            _row(
                _cell(each.kind),
                _cell(each.name),
                f"{each.count:,}",
                f"{each.failed:,}",
                *map(_ms, (each.p50, each.p95, each.p99)),
                (changed.get((each.kind, each.name)) or "same") if changed else DASH,
            )
            for each in run.requests
        ),
    ]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _ms(value: float | None) -> str:
    return DASH if value is None else f"{value:,.0f} ms" if value >= 100 else f"{value:.1f} ms"


def _cell(text: str) -> str:
    """Text of others, which must end neither the cell nor the table, and be no markup."""
    flat = " ".join(text.split())
    for sign in "\\`*_[]|":
        flat = flat.replace(sign, f"\\{sign}")
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
