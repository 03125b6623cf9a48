"""What happened to the stack under load: the steps of releases and rollbacks, from the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from slipway.load.samples import Mark
from slipway.settings.errors import SlipwayError
from slipway.storage.reading import Reading
from slipway.storage.records import Event, Release, What

__all__ = ["LOOK_SECONDS", "ReleaseMarks"]

LOOK_SECONDS: Final = 2.0
"""How often to look: marks carry the time of their event, so a later look makes none of them late."""
TOLD: Final[Mapping[tuple[str, What], str]] = {
    ("boot", "started"): "boots",
    ("switch", "started"): "switch begins",
    ("switch", "done"): "switched",
    ("switch", "undone"): "switched back",
    ("promote", "done"): "promoted",
    ("retire", "done"): "done",
    ("end", "failed"): "failed",
    ("end", "undone"): "undone",
}
"""The events that users may feel, or that tell how it ended."""


class ReleaseMarks:
    """Events of all releases since a moment, each told once."""

    def __init__(self, ledger: Reading, since: float) -> None:
        """`since`: seconds since 1970."""
        self._ledger, self._since = ledger, since
        self._seen: dict[int, int] = {}
        """Record → how many of its events were told or are too old."""
        self._over: set[int] = set()

    def look(self) -> list[Mark]:
        """What is new since the last look. A ledger that cannot be read now is asked again next time."""
        try:
            return list(self._new())
        except SlipwayError:
            return []

    def _new(self) -> Iterator[Mark]:
        for record in reversed(self._ledger.history(limit=2)):
            if record.number in self._over:
                continue
            events = self._ledger.events(record.number)
            for event in events[self._seen.get(record.number, 0) :]:
                if event.at.timestamp() >= self._since and (text := told(record, event)):
                    yield Mark(round(event.at.timestamp(), 3), text)
            self._seen[record.number] = len(events)
            # A promoted release is still retired afterwards.
            if record.progress.ended and (not record.was_promoted or "retire" in record.progress.done):
                self._over.add(record.number)


def told(record: Release, event: Event) -> str:
    """The event in a few words; empty for what no user feels. Pure."""
    what = TOLD.get((event.phase, event.event), "")
    who = f"rollback to release {record.target}" if record.kind == "rollback" else f"release {record.number}"
    return f"{who}: {what}" if what else ""
