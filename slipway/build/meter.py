"""How far the packing of a large layer is, told in lines that do not flood a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from slipway.build.tree import Entry

EVERY_SECONDS = 2.0


class Meter:
    """Called with bytes read so far; says `app layer: 120 of 900 MB` every two seconds."""

    def __init__(self, name: str, entries: Iterable[Entry], line: Callable[[str], None]) -> None:
        self.name, self.line = name, line
        self.total = sum(entry.size for entry in entries)
        self.next = time.monotonic() + EVERY_SECONDS

    def __call__(self, count: int) -> None:
        """Told by the packing."""
        now = time.monotonic()
        if now >= self.next:
            self.next = now + EVERY_SECONDS
            self.line(f"{self.name}: {min(count, self.total) / 1e6:.0f} of {self.total / 1e6:.0f} MB")
