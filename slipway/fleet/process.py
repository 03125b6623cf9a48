"""One run of a local program: write its input, read its output line by line, stop it at its timeout."""

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

MOST_BYTES = 32 << 20
"""The most that is kept of a command's output; 10,000 log lines are a tenth of it."""
LAST_BYTES = 1 << 20
"""What is kept of output that is passed on line by line, and of standard error; longer lines are cut."""


@dataclass(frozen=True)
class Completed:
    """A command that ended on a host. `seconds` is the wall time on the operator's side."""

    stdout: str
    stderr: str
    code: int
    seconds: float


class TimedOut(Exception):
    """The process did not end in time and was killed."""


class TooMuch(Exception):
    """The process wrote more than MOST_BYTES and was killed."""


class Aborted(Exception):
    """`abort` was called."""


class Exchange:
    """One run of a local program. `abort` may be called from another thread."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Start it in a new session: Ctrl-C reaches slipway only, which then decides what to do with it."""
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
        """Make `run` raise Aborted; a command started on a host keeps running.

        Killing the process would not be enough: an ssh client passes its pipes to the kept connection's
        process.
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
        """Wait for its end and pass on complete lines as they come.

        Raises TimedOut after `timeout` s, TooMuch after MOST_BYTES of output, or Aborted.
        """
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
        out = _Stream(on_stdout, is_whole=on_stdout is None)
        err = _Stream(on_stderr, is_whole=False)
        left = memoryview(stdin)
        deadline = None if timeout is None else self._began + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(_open(self._process.stdout), selectors.EVENT_READ, out)
            selector.register(_open(self._process.stderr), selectors.EVENT_READ, err)
            stdin_pipe = _open(self._process.stdin)
            os.set_blocking(stdin_pipe.fileno(), False)
            selector.register(stdin_pipe, selectors.EVENT_WRITE, stdin_pipe)
            selector.register(self._aborted, selectors.EVENT_READ, None)
            while len(selector.get_map()) > 1:
                wait = None if deadline is None else deadline - time.monotonic()
                if wait is not None and wait <= 0:
                    raise TimedOut
                for key, _ in selector.select(wait):
                    if key.data is None:
                        raise Aborted
                    if isinstance(key.data, _Stream):
                        if not key.data.receive(os.read(key.fd, 1 << 16)):
                            selector.unregister(key.fileobj)
                        continue
                    try:
                        left = left[os.write(key.fd, left) :] if left else left
                    except BlockingIOError:
                        continue
                    except BrokenPipeError:
                        left = left[:0]
                    if not left:
                        selector.unregister(stdin_pipe)
                        stdin_pipe.close()
        wait = None if deadline is None else max(0.1, deadline - time.monotonic())
        try:
            code = self._process.wait(wait)
        except subprocess.TimeoutExpired:
            raise TimedOut from None
        return Completed(out.text, err.text, code, time.monotonic() - self._began)


class _Stream:
    """Collects an output stream, whole or its end only, and passes its complete lines to `on_line`."""

    def __init__(self, on_line: Lines | None, *, is_whole: bool) -> None:
        self._content = bytearray()
        self._on_line, self._is_whole, self._passed = on_line, is_whole, 0

    @property
    def text(self) -> str:
        """What was kept of the stream."""
        return self._content.decode(errors="replace")

    def receive(self, piece: bytes) -> bool:
        """Add a piece; returns False at the end of the stream. Raises TooMuch."""
        self._content += piece
        if self._on_line:
            self._pass_on(self._on_line, is_last=not piece)
        if self._is_whole and len(self._content) > MOST_BYTES:
            raise TooMuch
        if not self._is_whole and len(self._content) > 2 * LAST_BYTES:
            gone = len(self._content) - LAST_BYTES
            del self._content[:gone]
            self._passed = max(0, self._passed - gone)
        return bool(piece)

    def _pass_on(self, on_line: Lines, *, is_last: bool) -> None:
        while (end := self._content.find(b"\n", self._passed)) >= 0:
            line = self._content[self._passed : end]
            self._passed = end + 1
            on_line(line.decode(errors="replace").rstrip("\r"))
        rest = len(self._content) - self._passed
        if rest > LAST_BYTES or (is_last and rest):
            on_line(self._content[self._passed :].decode(errors="replace"))
            self._passed = len(self._content)


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the process was started without pipes")
    return stream
