"""What a load run must show, and what it showed: the plan, its thresholds, and the result of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Literal

from pydantic import BaseModel, ConfigDict

from slipway.settings import Load
from slipway.traffic.samples import DURATIONS, ONCE, Cell, Key, Samples


@dataclass(frozen=True)
class Plan:
    """The load that was meant, and when what came of it counts. `Plan(started)`: no plan."""

    started: float
    """In seconds since 1970."""
    windows: tuple[tuple[float, float], ...] = ((0.0, inf),)
    """From and to, in seconds since the start: what comes in between is judged."""
    sockets: int = 0
    """To be open at the same time at the peak."""
    kinds: frozenset[str] = frozenset()
    """Kinds that must have data."""
    min_samples: int | None = None
    """For kinds and names without a threshold; None: `load.min_samples`."""

    @property
    def seconds(self) -> float:
        """Until the last window ends; 0 for a run without end."""
        end = max((end for _, end in self.windows), default=0.0)
        return 0.0 if end == inf else end

    def judges(self, width: int) -> Callable[[int], bool]:
        """Tells of slots of `width` seconds, by their begin, if all of what came in one counts."""

        def inside(begin: int) -> bool:
            at = begin - self.started
            return any(start <= at and at + width <= end for start, end in self.windows)

        return inside

    def judged_seconds(self, now: float = inf) -> float:
        """How much of the windows has passed at `now` (seconds since 1970)."""
        at = now - self.started
        return sum(max(0.0, min(end, at) - start) for start, end in self.windows)


Verdict = Literal["fail", "no data", "pass", "not judged"]
VERDICTS: tuple[Verdict, ...] = ("fail", "no data", "pass", "not judged")
"""The worst first. `not judged`: too few samples of something that no threshold names."""


DASH = "\N{EN DASH}"
"""Where there is no number."""


class ThresholdResult(BaseModel):
    """What was promised, and what was found."""

    model_config = ConfigDict(frozen=True)

    kind: str = ""
    """Kind of the requests; empty: the run as a whole."""
    name: str = ""
    measure: str
    """`p95`, `errors`, `open sockets at the peak`, …"""
    verdict: Verdict
    found: str
    """With its unit; what was wrong if there was nothing to find."""
    limit: str = ""
    """With its unit."""
    samples: int = 0

    @property
    def subject(self) -> str:
        """Kind and name, or `run`."""
        return f"{self.kind} {self.name}".strip() or "run"

    @property
    def sentence(self) -> str:
        """In one line."""
        return f"{self.subject}: {self.measure} {self.found}" + (f" ({self.limit})" if self.limit else "")


def milliseconds(ms: float) -> str:
    """As a person reads it: three digits, and no more than were measured."""
    if ms >= 10_000:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.3g} ms"


def share(ratio: float) -> str:
    """A ratio as a percentage; something is never shown as nothing."""
    return "0 %" if ratio == 0 else f"{ratio * 100:.2g} %" if ratio < 0.1 else f"{ratio * 100:.0f} %"


PERCENTS: Mapping[str, float] = {"p50": 50, "p95": 95, "p99": 99}


@dataclass(frozen=True)
class Limits:
    """The limits that hold for a kind and name."""

    times: Mapping[str, float]
    """Highest ms by `p50`, `p95`, `p99`."""
    error_ratio: float
    min_samples: int
    required: bool
    """Does a threshold speak of it? Too few samples are then no pass."""
    abort_on_fail: bool


def limits_for(load: Load, kind: str, name: str, min_samples: int | None = None) -> Limits:
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
    return Limits({each: times[each] for each in PERCENTS if each in times}, ratio, enough, required, abort)


def judge(samples: Samples, load: Load, asked: Plan) -> list[ThresholdResult]:
    """All that was promised and what was found, of the windows that count. No data is never a pass."""
    cells = _that_count(samples, load, asked)
    found = [*_arrivals(samples, load, asked), *_sockets(samples, load, asked)]
    for kind in sorted(asked.kinds - {key.kind for key in cells}):
        found.append(_nothing(kind, "", 1))
    for threshold in load.thresholds:
        fitting = [key for key in cells if key.kind == threshold.kind and threshold.name in {"", key.name}]
        if not fitting and (threshold.name or threshold.kind not in asked.kinds):
            bounds = limits_for(load, threshold.kind, threshold.name, asked.min_samples)
            found.append(_nothing(threshold.kind, threshold.name, bounds.min_samples))
    for key, cell in cells.items():
        found += _cell(key, cell, limits_for(load, *key, asked.min_samples))
    if not cells:
        found.append(
            ThresholdResult(
                measure="samples", verdict="no data", found="none in the time that counts", limit="at least 1"
            )
        )
    return found


def _that_count(samples: Samples, load: Load, asked: Plan) -> dict[Key, Cell]:
    """What came in the windows. Of what comes once only, such as a sign-in at the start, all there is."""
    steady = samples.totals(asked.judges(samples.width))
    named = {Key(each.kind, each.name) for each in load.thresholds}
    whole = samples.totals()
    return {
        key: whole[key] if key.kind in ONCE or key not in steady else steady[key]
        for key in whole
        if key in steady or key.kind in ONCE or key in named
    }


def _cell(key: Key, cell: Cell, bounds: Limits) -> list[ThresholdResult]:
    """An error is one however few samples there are; times need enough of them."""
    many = cell.count
    result = partial(ThresholdResult, kind=key.kind, name=key.name, samples=many)
    missed = cell.error_ratio > bounds.error_ratio
    enough = many >= bounds.min_samples
    found: list[ThresholdResult] = []
    if missed or enough:
        found.append(
            result(
                measure="errors",
                verdict="fail" if missed else "pass",
                found=f"{share(cell.error_ratio)} ({cell.failed} of {many})",
                limit=f"at most {share(bounds.error_ratio)}",
            )
        )
    if not enough:
        verdict = "no data" if bounds.required else "not judged"
        limit = f"at least {bounds.min_samples}"
        return [*found, result(measure="samples", verdict=verdict, found=str(many), limit=limit)]
    for percent, limit in bounds.times.items():
        ms = cell.good.percentile(PERCENTS[percent])
        found.append(
            result(
                measure=percent,
                verdict="no data" if ms is None else "pass" if ms <= limit else "fail",
                found="no good answer" if ms is None else milliseconds(ms),
                limit=f"at most {milliseconds(limit)}",
            )
        )
    return found


def _nothing(kind: str, name: str, least: int) -> ThresholdResult:
    return ThresholdResult(
        kind=kind, name=name, measure="samples", verdict="no data", found="none", limit=f"at least {least}"
    )


def _arrivals(samples: Samples, load: Load, asked: Plan) -> list[ThresholdResult]:
    inside = asked.judges(samples.width)
    slots = [slot for begin, slot in samples.slots.items() if inside(begin)]
    dropped = sum(slot.dropped for slot in slots)
    every = sum(slot.arrivals.count for slot in slots)
    if not every:
        return []
    ratio = dropped / every
    return [
        ThresholdResult(
            measure="dropped arrivals",
            verdict="fail" if ratio > load.dropped_ratio else "pass",
            found=f"{share(ratio)} ({dropped} of {every})",
            limit=f"at most {share(load.dropped_ratio)}",
            samples=every,
        )
    ]


def _sockets(samples: Samples, load: Load, asked: Plan) -> list[ThresholdResult]:
    if not asked.sockets:
        return []
    open_ = samples.sockets()
    peak = max(open_.values(), default=0)
    return [
        ThresholdResult(
            measure="open sockets at the peak",
            verdict="no data"
            if not open_
            else "pass"
            if peak >= load.sockets_ratio * asked.sockets
            else "fail",
            found=str(peak),
            limit=f"at least {share(load.sockets_ratio)} of {asked.sockets}",
            samples=len(open_),
        )
    ]


MARGIN = 1.25
"""More than the rate so far may still come, by this much."""
LEAST_SECONDS = 5.0
"""Judged seconds before a failure can be certain."""


def certain_failure(samples: Samples, load: Load, asked: Plan, now: float) -> str | None:
    """Why the run may end `now` (seconds since 1970), in a sentence; None: go on.

    Only thresholds with `abort_on_fail` end a run. In a run without end, what came so far
    is judged as if it were all.
    """
    passed = asked.judged_seconds(now)
    if passed < LEAST_SECONDS:
        return None
    ahead = (asked.judged_seconds() / passed - 1) * MARGIN if asked.seconds else 0.0
    for key, cell in samples.totals(asked.judges(samples.width)).items():
        bounds = limits_for(load, *key, asked.min_samples)
        if (
            bounds.abort_on_fail
            and cell.count >= bounds.min_samples
            and (why := _lost(key, cell, bounds, ahead))
        ):
            return why
    return None


def _lost(key: Key, cell: Cell, bounds: Limits, ahead: float) -> str | None:
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
