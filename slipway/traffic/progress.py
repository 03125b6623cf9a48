"""What a person sees while a load test runs: a line every few seconds, and the steps of releases."""

from collections.abc import Iterator, Mapping
from typing import Final

from slipway.settings import SlipwayError
from slipway.storage.reading import Reading
from slipway.storage.records import Event, Release, What
from slipway.traffic.profile import Profile
from slipway.traffic.samples import DURATIONS, Annotation, Cell, Samples
from slipway.traffic.thresholds import milliseconds

__all__ = ["EVENTS_SECONDS", "LINE_SECONDS", "ReleaseEvents", "live_line"]

LINE_SECONDS = 5
LATE_SECONDS = 2
"""Samples of workers arrive within a second; only complete seconds are shown."""


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


EVENTS_SECONDS: Final = 2.0
"""How often to look: annotations carry the time of their event, so a later look makes none of them late."""
SHOWN: Final[Mapping[tuple[str, What], str]] = {
    ("boot", "started"): "boots",
    ("switch", "started"): "switch begins",
    ("switch", "done"): "switched",
    ("switch", "undone"): "switched back",
    ("promote", "done"): "promoted",
    ("retire", "done"): "done",
    ("end", "failed"): "failed",
    ("end", "undone"): "undone",
}
"""The events that users may feel, and how a release ended."""


class ReleaseEvents:
    """Events of all releases since a moment, each returned once."""

    def __init__(self, ledger: Reading, since: float) -> None:
        """`since`: seconds since 1970."""
        self._ledger, self._since = ledger, since
        self._seen: dict[int, int] = {}
        """Record → how many of its events were returned or are too old."""
        self._over: set[int] = set()

    def look(self) -> list[Annotation]:
        """What is new since the last look. A ledger that cannot be read now is asked again next time."""
        try:
            return list(self._new())
        except SlipwayError:
            return []

    def _new(self) -> Iterator[Annotation]:
        for release in reversed(self._ledger.history(limit=2)):
            if release.number in self._over:
                continue
            events = self._ledger.events(release.number)
            for event in events[self._seen.get(release.number, 0) :]:
                if event.at.timestamp() >= self._since and (text := describe(release, event)):
                    yield Annotation(round(event.at.timestamp(), 3), text)
            self._seen[release.number] = len(events)
            # A promoted release is still retired afterwards.
            if release.progress.ended and (not release.was_promoted or "retire" in release.progress.done):
                self._over.add(release.number)


def describe(record: Release, event: Event) -> str:
    """The event in a few words; empty for what no user feels. Pure."""
    what = SHOWN.get((event.phase, event.event), "")
    who = f"rollback to release {record.target}" if record.kind == "rollback" else f"release {record.number}"
    return f"{who}: {what}" if what else ""
