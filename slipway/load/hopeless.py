"""Is a run lost already? It is when a threshold is missed even if all still to come were good. Pure."""

from __future__ import annotations

from slipway.load.asked import Asked
from slipway.load.bounds import PERCENTS, Bounds, bounds_of
from slipway.load.finding import milliseconds, share
from slipway.load.samples import Cell, Key, Samples
from slipway.settings.load import Load

MARGIN = 1.25
"""More than the rate so far may still come, by this much."""
LEAST_SECONDS = 5.0
"""Of the time that counts, before anything is foretold from it."""


def hopeless(samples: Samples, load: Load, asked: Asked, now: float) -> str | None:
    """Why the run may end `now` (seconds since 1970), in a sentence; None: go on.

    Only thresholds with `abort_on_fail` end a run. In a run without end, what came so far
    is judged as if it were all.
    """
    passed = asked.judged_seconds(now)
    if passed < LEAST_SECONDS:
        return None
    ahead = (asked.judged_seconds() / passed - 1) * MARGIN if asked.seconds else 0.0
    for key, cell in samples.totals(asked.judges(samples.width)).items():
        bounds = bounds_of(load, *key, asked.min_samples)
        if (
            bounds.abort_on_fail
            and cell.count >= bounds.min_samples
            and (why := _lost(key, cell, bounds, ahead))
        ):
            return why
    return None


def _lost(key: Key, cell: Cell, bounds: Bounds, ahead: float) -> str | None:
    in_the_end = 1 + ahead
    if cell.failed > bounds.error_ratio * cell.count * in_the_end:
        return (
            f"{key.kind} {key.name}: {cell.failed} of {cell.count} are errors, "
            f"at most {share(bounds.error_ratio)} may be"
        )
    for percent, limit in bounds.times.items():
        slow = cell.good.above(limit)
        if slow > (100 - PERCENTS[percent]) / 100 * cell.count * in_the_end:
            return (
                f"{key.kind} {key.name}: {slow} of {cell.count} took longer than {milliseconds(limit)}, "
                f"the limit of {percent}"
            )
    return None
