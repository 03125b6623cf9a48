"""Judges what came in against `[load]`, by kind and name: no number here mixes two protocols. Pure."""

from __future__ import annotations

from functools import partial

from slipway.load.asked import Asked
from slipway.load.bounds import PERCENTS, Bounds, bounds_of
from slipway.load.finding import Finding, milliseconds, share
from slipway.load.kinds import ONCE
from slipway.load.samples import Cell, Key, Samples
from slipway.settings.load import Load


def judge(samples: Samples, load: Load, asked: Asked) -> list[Finding]:
    """All that was promised and what was found, of the windows that count. No data is never a pass."""
    cells = _that_count(samples, load, asked)
    found = [*_arrivals(samples, load, asked), *_sockets(samples, load, asked)]
    for kind in sorted(asked.kinds - {key.kind for key in cells}):
        found.append(_nothing(kind, "", 1))
    for threshold in load.thresholds:
        fitting = [key for key in cells if key.kind == threshold.kind and threshold.name in {"", key.name}]
        if not fitting and (threshold.name or threshold.kind not in asked.kinds):
            bounds = bounds_of(load, threshold.kind, threshold.name, asked.min_samples)
            found.append(_nothing(threshold.kind, threshold.name, bounds.min_samples))
    for key, cell in cells.items():
        found += _cell(key, cell, bounds_of(load, *key, asked.min_samples))
    if not cells:
        found.append(
            Finding(
                measure="samples", verdict="no data", found="none in the time that counts", limit="at least 1"
            )
        )
    return found


def _that_count(samples: Samples, load: Load, asked: Asked) -> dict[Key, Cell]:
    """What came in the windows. Of what comes once only, such as a sign-in at the start, all there is."""
    steady = samples.totals(asked.judges(samples.width))
    named = {Key(each.kind, each.name) for each in load.thresholds}
    whole = samples.totals()
    return {
        key: whole[key] if key.kind in ONCE or key not in steady else steady[key]
        for key in whole
        if key in steady or key.kind in ONCE or key in named
    }


def _cell(key: Key, cell: Cell, bounds: Bounds) -> list[Finding]:
    """An error is one however few samples there are; times need enough of them."""
    many = cell.count
    told = partial(Finding, kind=key.kind, name=key.name, samples=many)
    missed = cell.error_ratio > bounds.error_ratio
    enough = many >= bounds.min_samples
    found: list[Finding] = []
    if missed or enough:
        found.append(
            told(
                measure="errors",
                verdict="fail" if missed else "pass",
                found=f"{share(cell.error_ratio)} ({cell.failed} of {many})",
                limit=f"at most {share(bounds.error_ratio)}",
            )
        )
    if not enough:
        verdict = "no data" if bounds.required else "not judged"
        limit = f"at least {bounds.min_samples}"
        return [*found, told(measure="samples", verdict=verdict, found=str(many), limit=limit)]
    for percent, limit in bounds.times.items():
        ms = cell.good.percentile(PERCENTS[percent])
        found.append(
            told(
                measure=percent,
                verdict="no data" if ms is None else "pass" if ms <= limit else "fail",
                found="no good answer" if ms is None else milliseconds(ms),
                limit=f"at most {milliseconds(limit)}",
            )
        )
    return found


def _nothing(kind: str, name: str, least: int) -> Finding:
    return Finding(
        kind=kind, name=name, measure="samples", verdict="no data", found="none", limit=f"at least {least}"
    )


def _arrivals(samples: Samples, load: Load, asked: Asked) -> list[Finding]:
    inside = asked.judges(samples.width)
    slots = [slot for begin, slot in samples.slots.items() if inside(begin)]
    dropped = sum(slot.dropped for slot in slots)
    every = sum(slot.arrivals.count for slot in slots)
    if not every:
        return []
    ratio = dropped / every
    return [
        Finding(
            measure="dropped arrivals",
            verdict="fail" if ratio > load.dropped_ratio else "pass",
            found=f"{share(ratio)} ({dropped} of {every})",
            limit=f"at most {share(load.dropped_ratio)}",
            samples=every,
        )
    ]


def _sockets(samples: Samples, load: Load, asked: Asked) -> list[Finding]:
    if not asked.sockets:
        return []
    open_ = samples.sockets()
    peak = max(open_.values(), default=0)
    return [
        Finding(
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
