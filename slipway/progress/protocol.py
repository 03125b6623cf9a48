"""What any progress output can be told."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO


class Progress(Protocol):
    """Told by long work what it is doing. All methods may be called from any thread."""

    def phase(self, name: str, text: str = "") -> AbstractContextManager[None]:
        """The work inside the `with` is phase `name`; timed; an exception marks it failed."""
        ...

    def host(self, host: str, text: str) -> None:
        """What `host` is doing now, within the running phase."""
        ...

    def line(self, text: str) -> None:
        """A fact worth keeping on screen."""
        ...


class Silent:
    """Says nothing."""

    @contextmanager
    def phase(self, name: str, text: str = "") -> Generator[None]:
        """Run the work."""
        del name, text
        yield

    def host(self, host: str, text: str) -> None:
        """Say nothing."""

    def line(self, text: str) -> None:
        """Say nothing."""


def for_stream(stream: TextIO) -> Progress:
    """The output that suits `stream`: redrawn on a terminal, plain lines elsewhere."""
    from slipway.progress.lines import Lines  # noqa: PLC0415 - rich is slow to import; rollback has 1 s

    if not stream.isatty():
        return Lines(stream)
    from slipway.progress.live import Live  # noqa: PLC0415

    return Live(stream)
