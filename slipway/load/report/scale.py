"""The upright axis of a chart: from where to where it goes, and which values it names. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FINEST = 0.001
"""What is smaller everywhere is drawn as nothing."""


@dataclass(frozen=True)
class Scale:
    """From `low` to `high`, with a line at each of `ticks`."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """How far up `value` is, from 0 to 1."""
        if self.log:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def linear_scale(values: Sequence[float], limits: Sequence[float]) -> Scale:
    """From 0 to a round number that all values and limits are below, in at most five steps."""
    highest = max([*values, *limits], default=0.0)
    if highest < FINEST:
        highest = 1.0
    step = 10 ** math.floor(math.log10(highest / 4))
    step = next(step * times for times in (1, 2, 2.5, 5, 10) if step * times * 4.5 >= highest)
    count = math.ceil(highest / step)
    return Scale(0.0, count * step, tuple(round(step * number, 6) for number in range(count + 1)))


def log_scale(values: Sequence[float], limits: Sequence[float]) -> Scale:
    """Whole decades around all values, and up to the limits."""
    low = 10 ** math.floor(math.log10(max(min((each for each in values if each), default=1.0), 0.01)))
    high = 10 ** math.ceil(math.log10(max([*values, *limits, low * 10]) * 1.0001))
    decades = round(math.log10(high / low))
    times = (1, 2, 5) if decades <= 2 else (1,)
    ticks = [low * 10**decade * each for decade in range(decades) for each in times]
    return Scale(low, high, (*(round(tick, 6) for tick in ticks), high), log=True)
