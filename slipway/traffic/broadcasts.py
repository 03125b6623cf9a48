"""What one user writes and all others must hear of: when it was written, and who has not heard."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Broadcasts", "Ear", "Written"]

_MARK = "slipway-load-"
_FOUND = re.compile(_MARK + r"([0-9a-f]{8})-(\d{16,20})")


class Written(NamedTuple):
    """One write that was answered well."""

    mark: str
    began: float
    """When it was sent, `time.perf_counter`: who listened then must hear of it."""
    answered: float


class Broadcasts:
    """The writes of this process. Their marks tell the time, so that every process can say how old one is."""

    def __init__(self) -> None:
        self.run = uuid.uuid4().hex[:8]
        self.written: list[Written] = []
        """In the order in which they were answered."""

    def mark(self, due: float) -> str:
        """A text for a write that was meant to start at `due` (`time.perf_counter`)."""
        ago = time.perf_counter() - due
        return f"{_MARK}{self.run}-{time.time_ns() - int(ago * 1e9)}"

    def wrote(self, mark: str, began: float) -> None:
        """The write with this mark, sent at `began`, was answered well."""
        self.written.append(Written(mark, began, time.perf_counter()))


class Ear:
    """What one connection hears of, from when it opened until it ends."""

    def __init__(self, broadcasts: Broadcasts) -> None:
        self._all = broadcasts
        self._since = time.perf_counter()
        self._next = len(broadcasts.written)
        self._heard: set[str] = set()

    def hear(self, text: str) -> float | None:
        """How old (ms) the write is that `text` tells of; None if of none, or of one known already."""
        if _MARK not in text or (found := _FOUND.search(text)) is None:
            return None
        mark = found[0]
        if found[1] == self._all.run:
            if mark in self._heard:
                return None
            self._heard.add(mark)
        return max(time.time_ns() - int(found[2]), 0) / 1e6

    def missed(self, before: float) -> Iterator[Written]:
        """Writes answered before `before` that should have been heard of by now and were not; each once."""
        written = self._all.written
        while self._next < len(written) and written[self._next].answered < before:
            each = written[self._next]
            self._next += 1
            if each.mark not in self._heard and each.began > self._since:
                yield each
            self._heard.discard(each.mark)
