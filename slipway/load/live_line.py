"""What a person sees of a run while it goes on: a line every few seconds."""

from __future__ import annotations

from slipway.load.finding import milliseconds
from slipway.load.kinds import DURATIONS
from slipway.load.profile import Profile
from slipway.load.samples import Cell, Samples

__all__ = ["LINE_SECONDS", "live_line"]

LINE_SECONDS = 5
LATE_SECONDS = 2
"""Samples of workers arrive within a second; only seconds that are complete are told."""


def live_line(samples: Samples, profile: Profile, at: float, now: float) -> str:
    """The last whole `LINE_SECONDS`, `at` seconds into the profile, at `now` (since 1970). Pure."""
    end = int(now) - LATE_SECONDS + 1
    begin = end - LINE_SECONDS
    kinds: dict[str, Cell] = {}
    for key, cell in samples.totals(lambda slot: begin <= slot < end).items():
        if key.kind not in DURATIONS:
            kinds.setdefault(key.kind, Cell()).merge(cell)
    parts = [f"{min(at, profile.seconds):4.0f} of {profile.seconds:.0f} s"]
    for kind, cell in sorted(kinds.items()):
        p95 = cell.good.percentile(95)
        parts.append(
            f"{kind} {cell.count / LINE_SECONDS:.0f}/s"
            + (f" p95 {milliseconds(p95)}" if p95 is not None else "")
            + (f" {cell.failed} errors" if cell.failed else "")
        )
    if profile.schedule.peak_sockets:
        open_now = [count for slot, count in samples.sockets().items() if slot < end]
        parts.append(f"{open_now[-1] if open_now else 0} sockets")
    if dropped := sum(slot.dropped for slot in samples.slots.values()):
        parts.append(f"{dropped} visits dropped")
    return "  ".join(parts)
