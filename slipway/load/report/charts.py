"""Which charts a run has: times by kind, each by itself, rate, errors, sockets, the generator. Pure."""

from __future__ import annotations

from slipway.load.kinds import DURATIONS
from slipway.load.outcome import Outcome
from slipway.load.report.chart import Chart, Limit, Line, Time

COLOURS = 6
"""In the style sheet: c0 … c5."""


def time_of(run: Outcome) -> Time:
    """The axis, marks and windows of all charts."""
    started = run.started.timestamp()
    return Time(
        at=[max(point.at, 0.0) for point in run.points],
        seconds=max([run.seconds, 1.0, *(point.at for point in run.points)]),
        marks=[max(mark.at - started, 0.0) for mark in run.marks],
        judged=run.windows,
    )


def charts_of(run: Outcome) -> list[Chart]:
    """In the order of a reader's questions."""
    kinds = sorted({kind for point in run.points for kind in point.kinds})
    charts = [_times(run, kind) for kind in kinds if kind not in DURATIONS]
    charts.append(Chart("Rate", "/s", [_rate(run, kind, number) for number, kind in enumerate(kinds)]))
    charts.append(Chart("Errors", "/s", [_errors(run, kind, number) for number, kind in enumerate(kinds)]))
    if run.sockets_asked or run.sockets_peak:
        asked = [Limit(f"{run.sockets_asked} asked for", run.sockets_asked)] if run.sockets_asked else []
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


def _times(run: Outcome, kind: str) -> Chart:
    seen = [point.kinds.get(kind) for point in run.points]
    lines = [
        Line("p99", "c1 thin", [each.p99 if each else None for each in seen]),
        Line("p95", "c0", [each.p95 if each else None for each in seen]),
        Line("p50", "c2 thin", [each.p50 if each else None for each in seen]),
    ]
    limits = [Limit(f"{percent} limit", ms) for percent, ms in run.limits.get(kind, {}).items()]
    return Chart(f"{kind}: time", "ms", lines, limits, log=True)


def _rate(run: Outcome, kind: str, number: int) -> Line:
    seen = [point.kinds.get(kind) for point in run.points]
    return Line(kind, f"c{number % COLOURS}", [each.per_second if each else 0.0 for each in seen])


def _errors(run: Outcome, kind: str, number: int) -> Line:
    seen = [point.kinds.get(kind) for point in run.points]
    return Line(kind, f"c{number % COLOURS}", [each.failed_per_second if each else 0.0 for each in seen])


def _arrivals(run: Outcome) -> Chart:
    return Chart(
        "Arrivals",
        "/s",
        [
            Line("begun", "c0", [point.arrivals_per_second for point in run.points]),
            Line("dropped", "fail", [point.dropped_per_second for point in run.points]),
        ],
    )
