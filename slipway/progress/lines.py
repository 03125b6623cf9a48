"""Plain lines: one fact a line, with the time since the command began. For logs and pipes."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO


class Lines:
    """Writes `[ 12.3s] stage      web1 fetched app layer` lines to `stream`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._phase = ""

    @contextmanager
    def phase(self, name: str, text: str = "") -> Generator[None]:
        """Announce the phase, run the work, tell how long it took."""
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
        """One line for a host."""
        self._write(self._phase, f"{host}: {text}")

    def line(self, text: str) -> None:
        """One line."""
        self._write(self._phase, text)

    def _write(self, phase: str, text: str) -> None:
        with self._lock:
            for row in text.splitlines() or [""]:
                self._stream.write(f"[{time.monotonic() - self._began:6.1f}s] {phase:<10} {row}\n")
            self._stream.flush()
