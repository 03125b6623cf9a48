"""Was the load generator itself the bottleneck? Its numbers then describe the generator, not the target."""

from collections.abc import Callable

from slipway.traffic.histogram import Histogram
from slipway.traffic.samples import Reading, Samples
from slipway.traffic.thresholds import Plan, ThresholdResult, milliseconds, share

BUSY_CPU = 0.9
"""Share of its core from which a process counts as busy: locust, like all of Python, uses one."""
LAG_MS = 200.0
"""Lag of its event loop from which a process counts as busy: every time it measures is longer by it."""
BUSY_SHARE = 0.1
"""Share of the judged time that a process may be busy."""
LEAST_SLOTS = 3
"""Busy slots below which there is no verdict: a second of garbage collection is no saturation."""
LATE_MS = 200.0
"""p99 of how late the generator may begin visits by its own fault."""


def saturation(samples: Samples, asked: Plan) -> list[ThresholdResult]:
    """Whether the generator kept up: one result for each sign that was measured."""
    inside = asked.judges(samples.width)
    found: list[ThresholdResult] = []
    seen = {
        source: kept
        for source, readings in samples.readings.items()
        if (kept := [reading for begin, reading in readings.items() if inside(begin)])
    }
    if seen:
        cpu = max(seen.values(), key=lambda each: _share(each, _cpu))
        lag = max(seen.values(), key=lambda each: _share(each, _lag))
        found = [
            _finding(
                "processor",
                cpu,
                _cpu,
                f"{share(max(each.cpu for each in cpu))} of a core at most",
                share(BUSY_CPU),
            ),
            _finding(
                "event loop lag",
                lag,
                _lag,
                f"{milliseconds(max(each.lag_ms for each in lag))} at most",
                milliseconds(LAG_MS),
            ),
        ]
    late = Histogram()
    for begin, slot in samples.slots.items():
        if inside(begin):
            late.merge(slot.arrivals)
    p99 = late.percentile(99)
    if p99 is not None:
        found.append(
            ThresholdResult(
                kind="generator",
                measure="p99 of late starts",
                verdict="fail" if p99 > LATE_MS else "pass",
                found=milliseconds(p99),
                limit=f"at most {milliseconds(LATE_MS)}",
                samples=late.count,
            )
        )
    return found


def _cpu(reading: Reading) -> bool:
    return reading.cpu >= BUSY_CPU


def _lag(reading: Reading) -> bool:
    return reading.lag_ms >= LAG_MS


def _share(readings: list[Reading], busy: Callable[[Reading], bool]) -> float:
    return sum(map(busy, readings)) / len(readings)


def _finding(
    measure: str, readings: list[Reading], busy: Callable[[Reading], bool], worst: str, limit: str
) -> ThresholdResult:
    slots = sum(map(busy, readings))
    bad = slots >= LEAST_SLOTS and slots / len(readings) > BUSY_SHARE
    return ThresholdResult(
        kind="generator",
        measure=measure,
        verdict="fail" if bad else "pass",
        found=f"{worst}, {share(slots / len(readings))} of the time above {limit}",
        limit=f"at most {share(BUSY_SHARE)} of the time",
        samples=len(readings),
    )
