"""A load run as one HTML page that needs nothing else (verdicts, charts, requests, errors, earlier runs).

The other files of a report are written beside it.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from slipway.reports import add_to_ci_summary, render, write_whole
from slipway.traffic.report.chart import EDGES, Chart, Limit, Line, Time
from slipway.traffic.report.ci import junit, markdown
from slipway.traffic.report.history import Change, Past, changes, remember
from slipway.traffic.results import RunResult
from slipway.traffic.samples import DURATIONS, Samples
from slipway.traffic.thresholds import DASH, share

TEMPLATE = Path(__file__).with_name("page.html.j2")
MOST_PAST = 50
"""Runs in the picture."""


def write_reports(run: RunResult, samples: Samples, folder: Path) -> list[Path]:
    """Writes `run` into `folder` and adds it to the history there; returns what a person may open.

    The numbers come first and the pages last: whatever ends this process, most of it is there.
    In a CI job that has a summary (`GITHUB_STEP_SUMMARY`), the run is added to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "results.json", run.model_dump_json(indent=1) + "\n")
    write_whole(folder / "samples.json", json.dumps(samples.to_json(), separators=(",", ":")) + "\n")
    past = remember(run, folder / "history.jsonl")
    summary = markdown(run, past)
    written = [
        write_whole(folder / "report.html", page(run, past)),
        folder / "results.json",
        write_whole(folder / "junit.xml", junit(run)),
        write_whole(folder / "summary.md", summary),
    ]
    add_to_ci_summary(summary)
    return written


def page(run: RunResult, past: Sequence[Past]) -> str:
    """The HTML text. `past`: runs of this profile, this one last."""
    shown = past[-MOST_PAST:]
    before = past[-2] if len(past) > 1 else None
    errors = [
        (count, request, reason) for request in run.requests for reason, count in request.errors.items()
    ]
    return render(
        TEMPLATE,
        {"ms": _ms, "moment": _moment},
        run=run,
        sums=_sums(run),
        charts=charts_of(run) if run.points else [],
        time=time_of(run),
        rows=changes(before, past[-1]) if before else _alone(run),
        before=before,
        errors=sorted(errors, key=lambda each: -each[0]),
        past=shown,
        bars=_bars(shown),
        edges=EDGES,
    )


def _sums(run: RunResult) -> list[tuple[str, str, str]]:
    """Label, value and class of the boxes on top."""
    count = sum(each.count for each in run.requests)
    failed = sum(each.failed for each in run.requests)
    boxes = [
        ("samples", f"{count:,}", ""),
        ("errors", f"{failed:,}", "fail" if failed else "pass"),
    ]
    if run.arrivals or run.dropped:
        boxes.append(("visits begun", f"{run.arrivals:,}", ""))
        boxes.append(("visits dropped", f"{run.dropped:,}", "fail" if run.dropped else "pass"))
    if run.sockets_asked or run.sockets_peak:
        asked = f" / {run.sockets_asked:,}" if run.sockets_asked else ""
        boxes.append(("sockets open at the peak", f"{run.sockets_peak:,}{asked}", ""))
    busiest = max((point.cpu for point in run.points if point.cpu is not None), default=None)
    if busiest is not None:
        boxes.append(("of a core for the generator", share(busiest), "fail" if busiest >= 0.9 else ""))
    return boxes


def _alone(run: RunResult) -> list[Change]:
    return [Change(kind=each.kind, name=each.name, before=None, now=each) for each in run.requests]


def _bars(past: Sequence[Past]) -> list[tuple[Past, float, float | None]]:
    """Each run with the height of its bar, 4 to 90, and what it stands for in ms."""
    slowest = [
        max(
            (each.p95 for each in run.requests if each.p95 is not None and each.kind not in DURATIONS),
            default=None,
        )
        for run in past
    ]
    most = max((each for each in slowest if each), default=1.0)
    return [
        (run, max(4.0, round(90 * (p95 or 0) / most, 1)), p95) for run, p95 in zip(past, slowest, strict=True)
    ]


def _ms(value: float | None) -> str:
    if value is None:
        return DASH
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


COLOURS = 6
"""In the style sheet: c0 … c5."""


def time_of(run: RunResult) -> Time:
    """The axis, annotations and windows of all charts."""
    started = run.started.timestamp()
    return Time(
        at=[max(point.at, 0.0) for point in run.points],
        seconds=max([run.seconds, 1.0, *(point.at for point in run.points)]),
        annotations=[max(mark.at - started, 0.0) for mark in run.annotations],
        judged=run.windows,
    )


def charts_of(run: RunResult) -> list[Chart]:
    """In the order of a reader's questions."""
    kinds = sorted({kind for point in run.points for kind in point.kinds})
    charts = [_times(run, kind) for kind in kinds if kind not in DURATIONS]
    charts.append(Chart("Rate", "/s", [_rate(run, kind, number) for number, kind in enumerate(kinds)]))
    charts.append(Chart("Errors", "/s", [_errors(run, kind, number) for number, kind in enumerate(kinds)]))
    if run.sockets_asked or run.sockets_peak:
        asked = [Limit(f"{run.sockets_asked} expected", run.sockets_asked)] if run.sockets_asked else []
        charts.append(Chart("Open sockets", "", [Line("open", "c0", [p.sockets for p in run.points])], asked))
    if run.arrivals or run.dropped:
        charts.append(_arrivals(run))
    if run.processes:
        cpu = [None if p.cpu is None else round(p.cpu * 100, 1) for p in run.points]
        charts.append(
            Chart(
                "Load generator: processor",
                "%",
                [Line("busiest process", "c0", cpu)],
                [Limit("saturated", 90)],
            )
        )
        lag = [p.lag_ms for p in run.points]
        charts.append(
            Chart(
                "Load generator: event loop lag",
                "ms",
                [Line("slowest process", "c0", lag)],
                [Limit("saturated", 200)],
            )
        )
    return charts


def _times(run: RunResult, kind: str) -> Chart:
    seen = [point.kinds.get(kind) for point in run.points]
    lines = [
        Line("p99", "c1 thin", [each.p99 if each else None for each in seen]),
        Line("p95", "c0", [each.p95 if each else None for each in seen]),
        Line("p50", "c2 thin", [each.p50 if each else None for each in seen]),
    ]
    limits = [Limit(f"{percent} limit", ms) for percent, ms in run.limits.get(kind, {}).items()]
    return Chart(f"{kind}: time", "ms", lines, limits, log=True)


def _rate(run: RunResult, kind: str, number: int) -> Line:
    seen = [point.kinds.get(kind) for point in run.points]
    return Line(kind, f"c{number % COLOURS}", [each.per_second if each else 0.0 for each in seen])


def _errors(run: RunResult, kind: str, number: int) -> Line:
    seen = [point.kinds.get(kind) for point in run.points]
    return Line(kind, f"c{number % COLOURS}", [each.failed_per_second if each else 0.0 for each in seen])


def _arrivals(run: RunResult) -> Chart:
    return Chart(
        "Arrivals",
        "/s",
        [
            Line("begun", "c0", [point.arrivals_per_second for point in run.points]),
            Line("dropped", "fail", [point.dropped_per_second for point in run.points]),
        ],
    )
