"""What one user writes and all listeners must receive: when it was written, and who has missed it."""

import re
import time
import uuid
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Broadcasts", "Listener", "Written"]

_PREFIX = "slipway-load-"
_TAG = re.compile(_PREFIX + r"([0-9a-f]{8})-(\d{16,20})")


class Written(NamedTuple):
    """One write that succeeded."""

    tag: str
    began: float
    """When it was sent, `time.perf_counter`: who listened then must receive it."""
    answered: float


class Broadcasts:
    """The writes of this process. Each carries a tag with its time, so every process can tell its age."""

    def __init__(self) -> None:
        self.run = uuid.uuid4().hex[:8]
        self.written: list[Written] = []
        """In the order of their answers."""

    def tag(self, due: float) -> str:
        """The text of a write that was due at `due` (`time.perf_counter`)."""
        ago = time.perf_counter() - due
        return f"{_PREFIX}{self.run}-{time.time_ns() - int(ago * 1e9)}"

    def wrote(self, tag: str, began: float) -> None:
        """Record that the write with this tag, sent at `began`, succeeded."""
        self.written.append(Written(tag, began, time.perf_counter()))


class Listener:
    """What one connection receives, from when it opened until it ends."""

    def __init__(self, broadcasts: Broadcasts) -> None:
        self._broadcasts = broadcasts
        self._since = time.perf_counter()
        self._next = len(broadcasts.written)
        self._received: set[str] = set()

    def age_of(self, text: str) -> float | None:
        """Age in ms of the write whose tag is in `text`; None without a tag, or if it was received before."""
        if _PREFIX not in text or (found := _TAG.search(text)) is None:
            return None
        tag = found[0]
        if found[1] == self._broadcasts.run:
            if tag in self._received:
                return None
            self._received.add(tag)
        return max(time.time_ns() - int(found[2]), 0) / 1e6

    def missed(self, before: float) -> Iterator[Written]:
        """Writes answered before `before` that should have been received by now and were not; each once."""
        written = self._broadcasts.written
        while self._next < len(written) and written[self._next].answered < before:
            each = written[self._next]
            self._next += 1
            if each.tag not in self._received and each.began > self._since:
                yield each
            self._received.discard(each.tag)
