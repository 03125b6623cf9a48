"""Talking with a local process: feed its input, hear its output line by line, end it in time."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

Lines = Callable[[str], object]


@dataclass(frozen=True)
class Completed:
    """A command that ran to its end on a host. `seconds` is wall time as the operator sees it."""

    stdout: str
    stderr: str
    code: int
    seconds: float


class TimedOut(Exception):
    """The process did not end in time and was killed."""


class Aborted(Exception):
    """Somebody called `abort`."""


class Exchange:
    """One run of a local program. `abort` may be called from another thread."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Start it, in a session of its own: Ctrl-C is for slipway, which then decides what becomes of it."""
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._aborted, self._abort = socket.socketpair()

    def abort(self) -> None:
        """Have `run` end with Aborted; what was started on a host is not touched.

        Killing the process would not do: an ssh client lends its pipes to the kept connection's process.
        """
        with suppress(OSError):
            self._abort.send(b"!")

    def run(
        self,
        stdin: bytes = b"",
        *,
        timeout: float | None = None,
        on_stdout: Lines | None = None,
        on_stderr: Lines | None = None,
    ) -> Completed:
        """Wait for its end, telling complete lines as they come. TimedOut after `timeout` s; Aborted."""
        try:
            return self._converse(stdin, timeout, on_stdout, on_stderr)
        finally:
            self._process.kill()
            self._process.wait()
            self._aborted.close()
            self._abort.close()
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                if stream:
                    stream.close()

    def _converse(
        self, stdin: bytes, timeout: float | None, on_stdout: Lines | None, on_stderr: Lines | None
    ) -> Completed:
        out, err = _Ear(on_stdout), _Ear(on_stderr)
        left = memoryview(stdin)
        deadline = None if timeout is None else self._began + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(_open(self._process.stdout), selectors.EVENT_READ, out)
            selector.register(_open(self._process.stderr), selectors.EVENT_READ, err)
            mouth = _open(self._process.stdin)
            os.set_blocking(mouth.fileno(), False)
            selector.register(mouth, selectors.EVENT_WRITE, mouth)
            selector.register(self._aborted, selectors.EVENT_READ, None)
            while len(selector.get_map()) > 1:
                wait = None if deadline is None else deadline - time.monotonic()
                if wait is not None and wait <= 0:
                    raise TimedOut
                for key, _ in selector.select(wait):
                    if key.data is None:
                        raise Aborted
                    if isinstance(key.data, _Ear):
                        if not key.data.hear(os.read(key.fd, 1 << 16)):
                            selector.unregister(key.fileobj)
                        continue
                    try:
                        left = left[os.write(key.fd, left) :] if left else left
                    except BlockingIOError:
                        continue
                    except BrokenPipeError:
                        left = left[:0]
                    if not left:
                        selector.unregister(mouth)
                        mouth.close()
        wait = None if deadline is None else max(0.1, deadline - time.monotonic())
        try:
            code = self._process.wait(wait)
        except subprocess.TimeoutExpired:
            raise TimedOut from None
        return Completed(out.text, err.text, code, time.monotonic() - self._began)


class _Ear:
    """Collects a stream and tells its complete lines."""

    def __init__(self, tell: Lines | None) -> None:
        self.heard = bytearray()
        self._tell, self._told = tell, 0

    @property
    def text(self) -> str:
        """All that was heard."""
        return self.heard.decode(errors="replace")

    def hear(self, piece: bytes) -> bool:
        """Take in a piece; False at the end of the stream."""
        self.heard += piece
        while self._tell and (end := self.heard.find(b"\n", self._told)) >= 0:
            line = self.heard[self._told : end]
            self._told = end + 1
            self._tell(line.decode(errors="replace").rstrip("\r"))
        if not piece and self._tell and self._told < len(self.heard):
            self._tell(self.heard[self._told :].decode(errors="replace"))
            self._told = len(self.heard)
        return bool(piece)


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the process was started without pipes")
    return stream
