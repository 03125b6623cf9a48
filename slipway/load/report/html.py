"""A load run as one HTML page that needs nothing else: verdicts, charts, requests, errors, earlier runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from slipway.load.compare import Change, Past, changes
from slipway.load.finding import DASH, share
from slipway.load.kinds import DURATIONS
from slipway.load.outcome import Outcome
from slipway.load.report import chart
from slipway.load.report.charts import charts_of, time_of
from slipway.reports import render

TEMPLATE = Path(__file__).with_name("page.html.j2")
MOST_PAST = 50
"""Runs in the picture."""


def page(run: Outcome, past: Sequence[Past]) -> str:
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
        edges={
            "left": chart.LEFT,
            "right": chart.RIGHT,
            "top": chart.TOP,
            "bottom": chart.BOTTOM,
            "width": chart.WIDTH,
            "height": chart.HEIGHT,
        },
    )


def _sums(run: Outcome) -> list[tuple[str, str, str]]:
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


def _alone(run: Outcome) -> list[Change]:
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
