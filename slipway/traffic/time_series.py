"""A run over time, as charts show it: at most a few hundred points, however long it was. Pure."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from slipway.traffic.samples import Cell, Samples

MOST_POINTS = 300


class KindPoint(BaseModel):
    """All of one kind, in one stretch of time."""

    model_config = ConfigDict(frozen=True)

    per_second: float
    failed_per_second: float
    p50: float | None
    """Median of the good answers in ms, as the other percentiles; None if there were none."""
    p95: float | None
    p99: float | None


class Point(BaseModel):
    """One stretch of time."""

    model_config = ConfigDict(frozen=True)

    at: float
    """Its begin, in seconds since the start of the run."""
    kinds: dict[str, KindPoint]
    sockets: int | None = None
    """Open at its end; None without a reading."""
    arrivals_per_second: float = 0.0
    dropped_per_second: float = 0.0
    cpu: float | None = None
    """CPU use of the generator's busiest process, as a share of a core."""
    lag_ms: float | None = None
    """Lag of the slowest event loop among its processes."""


def points_of(samples: Samples, started: float, redact: Callable[[str], str] = str) -> list[Point]:
    """The run since `started` (seconds since 1970), without a gap."""
    if samples.span is None:
        return []
    first, after = samples.span
    wide = Samples.merged([samples])
    while (after - first) / wide.width > MOST_POINTS:
        wide.widen(wide.width * 2)
    sockets = samples.sockets()
    begin = first // wide.width * wide.width
    return [
        _point(wide, at, started, sockets, samples.width, redact) for at in range(begin, after, wide.width)
    ]


def _point(
    wide: Samples,
    at: int,
    started: float,
    sockets: dict[int, int],
    fine: int,
    redact: Callable[[str], str],
) -> Point:
    slot = wide.slots.get(at)
    kinds: dict[str, Cell] = {}
    for key, cell in slot.cells.items() if slot else ():
        kinds.setdefault(redact(key.kind), Cell()).merge(cell)
    readings = [seen[at] for seen in wide.readings.values() if at in seen]
    open_ = [sockets[begin] for begin in range(at, at + wide.width, fine) if begin in sockets]
    return Point(
        at=round(at - started, 3),
        kinds={kind: _kind(cell, wide.width) for kind, cell in sorted(kinds.items())},
        sockets=open_[-1] if open_ else None,
        arrivals_per_second=round(slot.arrivals.count / wide.width, 2) if slot else 0.0,
        dropped_per_second=round(slot.dropped / wide.width, 2) if slot else 0.0,
        cpu=max((each.cpu for each in readings), default=None),
        lag_ms=max((each.lag_ms for each in readings), default=None),
    )


def _kind(cell: Cell, width: int) -> KindPoint:
    p50, p95, p99 = (cell.good.percentile(percent) for percent in (50, 95, 99))
    return KindPoint(
        per_second=round(cell.count / width, 2),
        failed_per_second=round(cell.failed / width, 2),
        p50=None if p50 is None else round(p50, 2),
        p95=None if p95 is None else round(p95, 2),
        p99=None if p99 is None else round(p99, 2),
    )
