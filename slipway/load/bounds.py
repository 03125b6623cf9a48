"""What requests of one kind and name must show: `[load]`, laid over by what its thresholds say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from slipway.load.kinds import DURATIONS
from slipway.settings.load import Load

PERCENTS: Mapping[str, float] = {"p50": 50, "p95": 95, "p99": 99}


@dataclass(frozen=True)
class Bounds:
    """The limits that hold for a kind and name."""

    times: Mapping[str, float]
    """Highest ms by `p50`, `p95`, `p99`."""
    error_ratio: float
    min_samples: int
    required: bool
    """Does a threshold speak of it? Too few samples are then no pass."""
    abort_on_fail: bool


def bounds_of(load: Load, kind: str, name: str, min_samples: int | None = None) -> Bounds:
    """The limits; each of the threshold that names it, of the one of its kind, or of `[load]`."""
    times = {} if kind in DURATIONS else {"p95": load.p95_ms}
    ratio, enough = load.error_ratio, load.min_samples if min_samples is None else min_samples
    abort, required = load.abort_on_fail, False
    fitting = [each for each in load.thresholds if each.kind == kind and each.name in {"", name}]
    for threshold in sorted(fitting, key=lambda each: each.name):
        said = {percent: getattr(threshold, f"{percent}_ms") for percent in PERCENTS}
        times |= {percent: ms for percent, ms in said.items() if ms is not None}
        ratio = ratio if threshold.error_ratio is None else threshold.error_ratio
        enough = enough if threshold.min_samples is None else threshold.min_samples
        abort = abort or threshold.abort_on_fail
        required = required or bool(threshold.name) or threshold.min_samples is not None
    return Bounds({each: times[each] for each in PERCENTS if each in times}, ratio, enough, required, abort)
