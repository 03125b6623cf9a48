"""Progress of long work: what a command shows a person while it runs.

`Progress` is the interface that the rest of the kit uses. `Live` redraws a terminal, `Lines` prints one
line per event (CI logs, pipes, `--json` on standard error), `Silent` prints nothing (tests).
"""

import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from slipway.settings.printable import printable

__all__ = ["Progress", "Silent", "for_stream"]


class Progress(Protocol):
    """Receives what long work is doing. All methods may be called from any thread."""

    def phase(self, name: str, text: str = "") -> AbstractContextManager[None]:
        """Run the `with` block as phase `name`: timed, and marked as failed by an exception."""
        ...

    def host(self, host: str, text: str) -> None:
        """What `host` is doing now, within the running phase."""
        ...

    def line(self, text: str) -> None:
        """A line that stays on the screen."""
        ...


class Silent:
    """Prints nothing: for tests, and for callers without progress."""

    @contextmanager
    def phase(self, name: str, text: str = "") -> Generator[None]:
        del name, text
        yield

    def host(self, host: str, text: str) -> None: ...

    def line(self, text: str) -> None: ...


def for_stream(stream: TextIO) -> Progress:
    """The output that suits `stream`: redrawn on a terminal, plain lines elsewhere."""
    if not stream.isatty():
        return Lines(stream)

    from slipway.progress.live import Live  # noqa: PLC0415 - rich is slow to import; a rollback has one second

    return Live(stream)


class Lines:
    """Writes `[ 12.3s] stage      web1 fetched app layer` lines to `stream`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._phase = ""

    @contextmanager
    def phase(self, name: str, text: str = "") -> Generator[None]:
        """Print when the phase starts and how long it took."""
        outer, self._phase = self._phase, name
        self._write(name, text or "…")
        began = time.monotonic()
        try:
            yield
        except BaseException:
            self._write(name, f"failed after {time.monotonic() - began:.1f} s")
            raise
        else:
            self._write(name, f"done in {time.monotonic() - began:.1f} s")
        finally:
            self._phase = outer

    def host(self, host: str, text: str) -> None:
        self._write(self._phase, f"{host}: {text}")

    def line(self, text: str) -> None:
        self._write(self._phase, text)

    def _write(self, phase: str, text: str) -> None:
        with self._lock:
            for row in printable(text).splitlines() or [""]:
                self._stream.write(f"[{time.monotonic() - self._began:6.1f}s] {phase:<10} {row}\n")
            self._stream.flush()
