"""What came in during one slot of time, and how the generator was meanwhile: the parts of `Samples`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from slipway.load.histogram import Histogram

REASON_CHARACTERS = 160
MOST_REASONS = 30
"""Different reasons kept by slot, kind and name; the rest are `OTHER`: texts with numbers never end."""
OTHER = "other reasons"


class Key(NamedTuple):
    """Of what a sample is. Kinds (`HTTP`, `WS echo`, …) are never mixed in one percentile."""

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

    def merge(self, other: Cell) -> None:
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

    def merge(self, other: Slot) -> None:
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

    def merge(self, other: Reading) -> Reading:
        """The fewest sockets and the worst of the rest: nothing looks better than it was."""
        return Reading(
            min(self.sockets, other.sockets), max(self.cpu, other.cpu), max(self.lag_ms, other.lag_ms)
        )


class Mark(NamedTuple):
    """Something that happened to the stack meanwhile: a phase of a release, a lost worker."""

    at: float
    """Seconds since 1970."""
    text: str
