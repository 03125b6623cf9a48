"""What came in during one slot of time, and how the generator was meanwhile: the parts of `Samples`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from slipway.traffic.histogram import Histogram

__all__ = ["Annotation", "Cell", "Key", "Reading", "Samples", "Slot"]


REASON_CHARACTERS = 160
MOST_REASONS = 30
"""Different reasons kept by slot, kind and name; the rest are `OTHER`: texts with numbers never end."""
OTHER = "other reasons"


class Key(NamedTuple):
    """Kind and name of a sample. Kinds (`HTTP`, `WS echo`, …) are never mixed in one percentile."""

    kind: str
    name: str


class Cell:
    """What came in of one kind and name."""

    __slots__ = ("errors", "good")

    def __init__(self) -> None:
        self.good = Histogram()
        """Times of those that were answered well; a quick error is no quick answer."""
        self.errors: dict[str, int] = {}
        """Reason → how many."""

    @property
    def failed(self) -> int:
        """How many were errors."""
        return sum(self.errors.values())

    @property
    def count(self) -> int:
        """How many there were."""
        return self.good.count + self.failed

    @property
    def error_ratio(self) -> float:
        """Share of errors; 0 without data."""
        return self.failed / self.count if self.count else 0.0

    def add(self, ms: float, error: str | None) -> None:
        """Count one; `error`: why it was not good."""
        if error is None:
            self.good.add(ms)
            return
        reason = error[:REASON_CHARACTERS]
        if reason not in self.errors and len(self.errors) >= MOST_REASONS:
            reason = OTHER
        self.errors[reason] = self.errors.get(reason, 0) + 1

    def merge(self, other: Self) -> None:
        """Count all that `other` counted."""
        self.good.merge(other.good)
        for reason, count in other.errors.items():
            self.errors[reason] = self.errors.get(reason, 0) + count


@dataclass
class Slot:
    """What came in during one slot, from all processes."""

    cells: dict[Key, Cell] = field(default_factory=dict[Key, Cell])
    arrivals: Histogram = field(default_factory=Histogram)
    """Visits that were due, by how late the generator itself came to them (ms)."""
    dropped: int = 0
    """Those of them that found no free user in time."""

    def cell(self, kind: str, name: str) -> Cell:
        """The cell of a kind and name, made if need be."""
        found = self.cells.get((kind, name))  # pyright: ignore[reportArgumentType, reportCallIssue] - equal to its Key, and half the time
        if found is None:
            found = self.cells[Key(kind, name)] = Cell()
        return found

    def merge(self, other: Self) -> None:
        """Count all that `other` counted."""
        for key, cell in other.cells.items():
            self.cell(*key).merge(cell)
        self.arrivals.merge(other.arrivals)
        self.dropped += other.dropped

    def to_json(self) -> dict[str, Any]:
        """As JSON and msgpack carry it."""
        return {
            "cells": [
                [*key, cell.good.to_json(), dict(sorted(cell.errors.items()))]
                for key, cell in sorted(self.cells.items())
            ],
            "arrivals": self.arrivals.to_json(),
            "dropped": self.dropped,
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Self:
        """The slot that `to_json` wrote."""
        slot = cls(arrivals=Histogram.from_json(written["arrivals"]), dropped=written["dropped"])
        for kind, name, good, errors in written["cells"]:
            cell = slot.cell(kind, name)
            cell.good, cell.errors = Histogram.from_json(good), dict(errors)
        return slot


class Reading(NamedTuple):
    """One process of the generator, in one slot."""

    sockets: int
    """Open."""
    cpu: float
    """Share of one core: 1 is all of it."""
    lag_ms: float
    """How late its event loop was, at most."""

    def merge(self, other: "Reading") -> "Reading":
        """The fewest sockets and the worst of the rest: nothing looks better than it was."""
        return Reading(
            min(self.sockets, other.sockets), max(self.cpu, other.cpu), max(self.lag_ms, other.lag_ms)
        )


class Annotation(NamedTuple):
    """Something that happened to the stack meanwhile: a phase of a release, a lost worker."""

    at: float
    """Seconds since 1970."""
    text: str


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
        self.annotations: set[Annotation] = set()
        self._begin, self._slot = -1, Slot()  # the slot of the last call, nearly always that of the next

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

    def annotate(self, text: str, *, at: float) -> None:
        """Something happened to the stack."""
        self.annotations.add(Annotation(round(at, 3), text))

    def merge(self, other: Self) -> None:
        """Count all that `other` counted; the wider slots win."""
        self.widen(other.width)
        for begin, slot in other.slots.items():
            self.slot(begin).merge(slot)
        for source, seen in other.readings.items():
            for begin, reading in seen.items():
                self.read(source, reading, at=begin)
        self.annotations |= other.annotations

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

    def take(self) -> "Samples":
        """All that was counted since the last `take`, for another process to merge."""
        taken = Samples(self.width)
        taken.slots, taken.readings, taken.annotations = self.slots, self.readings, self.annotations
        self.slots, self.readings, self.annotations, self._begin = {}, {}, set(), -1
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
            "annotations": [list(mark) for mark in sorted(self.annotations)],
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
        found.annotations = {Annotation(at, text) for at, text in written["annotations"]}
        return found

    @classmethod
    def merged(cls, parts: Iterable[Self]) -> Self:
        """All of `parts` together."""
        found = cls()
        for part in parts:
            found.merge(part)
        return found


HTTP: Final = "HTTP"
"""A request, from its intended start to the last byte of its answer."""
CONNECT: Final = "WS connect"
"""TCP, TLS and the handshake, from the moment at which the client meant to connect."""
OPEN: Final = "WS open"
"""The opening messages of slipway.toml, until each is answered."""
ECHO: Final = "WS echo"
"""A message there and its answer back, from the moment at which it was meant to be sent."""
BROADCAST: Final = "WS broadcast"
"""From when a write by one user was due until another user's socket receives it."""
BACKLOG: Final = "WS backlog"
"""The same for a user that reads nothing for a while: how old things are when it has caught up."""
SESSION: Final = "WS session"
"""How long a connection lasted; an error if it ended other than by an orderly goodbye."""
VISIT: Final = "visit"
"""A visit that could not go on though no request of it failed: always an error."""

ONCE: Final = frozenset({CONNECT, OPEN, SESSION})
"""Kinds that come once a connection, most of them as the load rises: judged in the whole run."""
DURATIONS: Final = frozenset({SESSION, BACKLOG})
"""Kinds whose time is no latency: long is not bad, so no bound in milliseconds holds for them by default."""
