"""What every second of a run brought: times and errors, arrivals, open sockets, the generator itself.

A process records into its own `Samples`; those of other processes are merged in, in any order. Seconds are of
the clock on the wall: machines can be laid over each other. Long runs get slots of 2, 4, 8, … seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from slipway.load.slot import Cell, Key, Mark, Reading, Slot

__all__ = ["Cell", "Key", "Mark", "Reading", "Samples", "Slot"]

MOST_SLOTS = 3600
"""Slots that `compact` leaves: an hour by the second, two hours by two seconds."""


class Samples:
    """What a run, or one process of it, brought."""

    def __init__(self, width: int = 1) -> None:
        self.width = width
        """Seconds in a slot; a power of two."""
        self.slots: dict[int, Slot] = {}
        """By the second since 1970 in which they begin."""
        self.readings: dict[str, dict[int, Reading]] = {}
        """By process of the generator, then as slots."""
        self.marks: set[Mark] = set()
        self._begin, self._slot = -1, Slot()  # the slot asked for last: nearly always the one asked for next

    def slot(self, at: float) -> Slot:
        """The slot of a moment in seconds since 1970, made if need be."""
        begin = int(at) // self.width * self.width
        if begin == self._begin:
            return self._slot
        found = self.slots.get(begin)
        if found is None:
            found = self.slots[begin] = Slot()
        self._begin, self._slot = begin, found
        return found

    def record(self, kind: str, name: str, ms: float, error: str | None = None, *, at: float) -> None:
        """One that ended `at` and took `ms` since its intended start; `error`: why it was not good."""
        self.slot(at).cell(kind, name).add(ms, error)

    def arrived(self, late_ms: float, *, at: float) -> None:
        """A visit was due `at`, and this process came to it `late_ms` later."""
        self.slot(at).arrivals.add(late_ms)

    def dropped(self, *, at: float) -> None:
        """A visit that was due `at` found no free user in time."""
        self.slot(at).dropped += 1

    def read(self, source: str, reading: Reading, *, at: float) -> None:
        """How the process `source` of the generator is."""
        begin = int(at) // self.width * self.width
        seen = self.readings.setdefault(source, {})
        before = seen.get(begin)
        seen[begin] = reading if before is None else before.merge(reading)

    def mark(self, text: str, *, at: float) -> None:
        """Something happened to the stack."""
        self.marks.add(Mark(round(at, 3), text))

    def merge(self, other: Samples) -> None:
        """Count all that `other` counted; the wider slots win."""
        self.widen(other.width)
        for begin, slot in other.slots.items():
            self.slot(begin).merge(slot)
        for source, seen in other.readings.items():
            for begin, reading in seen.items():
                self.read(source, reading, at=begin)
        self.marks |= other.marks

    def widen(self, width: int) -> None:
        """Make slots at least `width` seconds wide."""
        if width <= self.width:
            return
        slots, readings = self.slots, self.readings
        self.width, self.slots, self.readings, self._begin = width, {}, {}, -1
        for begin, slot in slots.items():
            self.slot(begin).merge(slot)
        for source, seen in readings.items():
            for begin, reading in seen.items():
                self.read(source, reading, at=begin)

    def compact(self, most: int = MOST_SLOTS) -> None:
        """Widen until there are at most `most` slots: memory stays bounded in a run of days."""
        while len(self.slots) > most:
            self.widen(self.width * 2)

    def take(self) -> Samples:
        """All that was counted since the last `take`, for another process to merge."""
        taken = Samples(self.width)
        taken.slots, taken.readings, taken.marks = self.slots, self.readings, self.marks
        self.slots, self.readings, self.marks, self._begin = {}, {}, set(), -1
        return taken

    def totals(self, counts: Callable[[int], bool] = lambda _: True) -> dict[Key, Cell]:
        """All cells by kind and name, sorted, of the slots that `counts` takes (by their begin)."""
        found: dict[Key, Cell] = {}
        for begin, slot in self.slots.items():
            if counts(begin):
                for key, cell in slot.cells.items():
                    found.setdefault(key, Cell()).merge(cell)
        return dict(sorted(found.items()))

    @property
    def span(self) -> tuple[int, int] | None:
        """The first second that holds anything and the one after the last; None without data."""
        begins = [*self.slots, *(begin for seen in self.readings.values() for begin in seen)]
        return (min(begins), max(begins) + self.width) if begins else None

    def sockets(self) -> dict[int, int]:
        """Open sockets of all processes by slot. A process that missed a slot had as many as before."""
        begins = sorted({begin for seen in self.readings.values() for begin in seen})
        total = dict.fromkeys(begins, 0)
        for seen in self.readings.values():
            last, open_now = max(seen), 0
            for begin in begins:
                open_now = seen[begin].sockets if begin in seen else open_now if begin < last else 0
                total[begin] += open_now
        return total

    def to_json(self) -> dict[str, Any]:
        """As JSON and msgpack carry it."""
        return {
            "width": self.width,
            "slots": {str(begin): slot.to_json() for begin, slot in sorted(self.slots.items())},
            "readings": {
                source: {str(begin): list(reading) for begin, reading in sorted(seen.items())}
                for source, seen in sorted(self.readings.items())
            },
            "marks": [list(mark) for mark in sorted(self.marks)],
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Self:
        """The samples that `to_json` wrote."""
        found = cls(written["width"])
        found.slots = {int(begin): Slot.from_json(slot) for begin, slot in written["slots"].items()}
        found.readings = {
            source: {int(begin): Reading(*reading) for begin, reading in seen.items()}
            for source, seen in written["readings"].items()
        }
        found.marks = {Mark(at, text) for at, text in written["marks"]}
        return found

    @classmethod
    def merged(cls, parts: Iterable[Samples]) -> Self:
        """All of `parts` together."""
        found = cls()
        for part in parts:
            found.merge(part)
        return found
