"""A load run for CI: JUnit XML, and the summary on the page of a job."""

from collections.abc import Sequence

from slipway import reports
from slipway.traffic.report.history import Past, changes
from slipway.traffic.results import RunResult
from slipway.traffic.thresholds import DASH, ThresholdResult


def junit(run: RunResult) -> str:
    """JUnit XML: a case for the run and for each threshold. `no data` fails; `not judged` is skipped."""
    cases = [_run_case(run), *map(_case, run.thresholds)]
    return reports.junit(f"{run.profile} load on {run.stack}", run.started, run.seconds, cases)


def _run_case(run: RunResult) -> reports.Case:
    """The run as a case: a run without a threshold must not look green."""
    return reports.Case(
        classname="load",
        name="run",
        seconds=run.seconds,
        failure="" if run.passed else run.exit_code.meaning,
        details=f"exit code {run.exit_code.value}\n{run.why_ended}",
    )


def _case(result: ThresholdResult) -> reports.Case:
    return reports.Case(
        classname=f"load.{result.kind or 'run'}",
        name=f"{result.name} {result.measure}".strip(),
        failure=result.sentence if result.verdict in {"fail", "no data"} else "",
        details=f"samples: {result.samples}",
        skipped=result.sentence if result.verdict == "not judged" else "",
    )


MOST_MISSED = 30
"""Rows of what was missed; the rest is on the HTML page."""


def markdown(run: RunResult, past: Sequence[Past]) -> str:
    """The text. `past`: runs of this profile, this one last."""
    release = "" if run.release is None else f", release {run.release}"
    verdict = "passed" if run.passed else "**failed**"
    lines = [
        f"### {reports.cell(run.stack)}: {reports.cell(run.profile)} load {verdict}",
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
        lines += [f"Ended early: {reports.cell(run.why_ended)}.", ""]
    missed = [each for each in run.thresholds if each.verdict in {"fail", "no data"}]
    if missed:
        lines += ["| verdict | of | what | found | limit |", "|---|---|---|---|---|"]
        lines += [
            reports.row(
                each.verdict, *map(reports.cell, (each.subject, each.measure, each.found, each.limit))
            )
            for each in missed[:MOST_MISSED]
        ]
        if len(missed) > MOST_MISSED:
            lines.append(reports.row("…", f"{len(missed) - MOST_MISSED} more", "", "", ""))
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
            reports.row(
                reports.cell(each.kind),
                reports.cell(each.name),
                f"{each.count:,}",
                f"{each.failed:,}",
                *map(_ms, (each.p50, each.p95, each.p99)),
                (changed.get((each.kind, each.name)) or "same") if changed else DASH,
            )
            for each in run.requests
        ),
    ]


def _ms(value: float | None) -> str:
    return DASH if value is None else f"{value:,.0f} ms" if value >= 100 else f"{value:.1f} ms"
