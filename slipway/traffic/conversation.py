"""An open WebSocket as its user lives it: what was sent, what is received, and how it ends.

What one user writes and all listeners must receive has a tag: when it was written, and who has missed it.
"""

import random
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import NamedTuple, cast

import gevent
import websocket

from slipway.settings import WebSocket
from slipway.settings.traffic_rules import COUNTER
from slipway.traffic.connection import Connection, problem_of
from slipway.traffic.samples import BACKLOG, BROADCAST, ECHO
from slipway.traffic.sign_in import fill_message

__all__ = ["Broadcasts", "ConnectionEnded", "Conversation", "Listener", "Report", "Written"]


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


NO_CODE = 1005
"""RFC 6455 7.1.5: the close frame held no code."""
_NUMBERS = re.compile(r"\d{9,}")
_HERE = "@number@"

Report = Callable[[str, float, "str | None", int], None]
"""(kind, ms, error or None, bytes) of something that was timed."""


class ConnectionEnded(Exception):
    """The connection is over. `error` says what was wrong about its end; None: it ended in order."""

    def __init__(
        self,
        error: str | None = None,
        *,
        again: bool = True,
        code: int | None = None,
        reason: str = "",
        kind: str = "no close frame",
    ) -> None:
        super().__init__(error or "in order")
        self.error = error
        self.again = again
        """True if the user comes back."""
        self.code, self.reason = code, reason
        """The server's close frame; None: there was none."""
        self.kind = kind
        """How it ended, where there was no close frame."""


class Conversation:
    """An open connection. Whatever ends it is raised as ConnectionEnded by the method that is waiting."""

    def __init__(
        self,
        socket: websocket.WebSocket,
        connection: Connection,
        settings: WebSocket,
        known: Mapping[str, str],
        *,
        report: Report,
        patience: float,
        first_number: int,
        broadcasts: Broadcasts | None = None,
        until: tuple[float, float] = (inf, inf),
    ) -> None:
        """`first_number` is the echo's first `${n}`; `patience`: seconds until something counts as missing.

        `until`: when this user leaves for good, and when it is cut and comes back (`time.perf_counter`).
        """
        self._socket, self._connection, self._settings = socket, connection, settings
        self._echo = fill_message(settings.echo, {**known, COUNTER: _HERE}).split(_HERE)
        self._report, self._patience = report, patience
        self.next_number = first_number
        self.noticed = False
        """True once the server has sent `websocket.notice`: it is about to close in order."""
        self.waiting: dict[str, float] = {}
        """By the number of each echo that has no answer yet, when it was due."""
        self._listener = Listener(broadcasts) if broadcasts else None
        self._receives = BROADCAST
        self._leaves, self._cut = until
        self._due = 0.0

    def every(self, seconds: float, *, at_once: bool = False) -> Iterator[None]:
        """Yields at every interval, and receives in between; an echo is timed from when its interval was due.

        The first is due at a random moment within the interval, so that not all users send at once; with
        `at_once` it is due now, even if it is time to leave: a connection that opens late is used once.
        """
        due = time.perf_counter()
        if not at_once:
            due += random.uniform(0, seconds)  # noqa: S311 - no secret
            self._receive_until(due)
        while True:
            self._due = due
            yield
            due += seconds
            self._receive_until(due)

    def echo(self) -> None:
        """Send the echo message of slipway.toml; its answer is timed when it is received."""
        if self.noticed or not self._settings.echo:
            return  # the server is about to close: wait for that
        now = time.perf_counter()
        due, self._due = self._due or now, 0.0
        number = str(self.next_number)
        self.next_number += 1
        self.waiting[number] = due
        try:
            self._socket.send(number.join(self._echo))
        except (OSError, websocket.WebSocketException) as error:
            # What the server sent last may still be there to be read, most of all its close frame.
            self._drain(error)

    def ask(self) -> None:
        """Send the echo message and wait for its answer."""
        self.echo()
        until = time.perf_counter() + self._patience
        while self.waiting:
            self._receive_one(until)

    def listen(self, seconds: float) -> None:
        """Receive what comes in the next `seconds`."""
        self._receive_until(time.perf_counter() + seconds)

    def settle(self, until: float) -> None:
        """Wait for the answers that are missing, at most until `until` (`time.perf_counter`)."""
        while self.waiting and time.perf_counter() < until:
            self._receive_one(until)
            self._check_overdue(time.perf_counter())

    def stall(self, seconds: float) -> None:
        """Read nothing for `seconds`, whatever arrives."""
        # From now on, what is received is old by this user's own doing.
        self._receives = BACKLOG
        until = min(time.perf_counter() + seconds, self._leaves, self._cut)
        gevent.sleep(max(until - time.perf_counter(), 0))

    def greet(self, messages: list[str], patience: float) -> None:
        """Send the opening messages, each of which is answered within `patience` seconds."""
        for message in messages:
            try:
                self._socket.send(message)
            except (OSError, websocket.WebSocketException) as error:
                self._drain(error)
            if not self._receive_one(time.perf_counter() + patience):
                raise ConnectionEnded("no answer to an opening message", kind="open: no answer")

    def close(self, code: int = 1000) -> None:
        """Send a close frame and do not wait for the answer."""
        try:
            self._connection.settimeout(1.0)
            if self._socket.connected:
                self._socket.send_close(code)
        except (OSError, websocket.WebSocketException):
            pass  # it is over either way
        finally:
            self._socket.shutdown()

    def _receive_until(self, until: float) -> None:
        stop = min(until, self._leaves, self._cut)
        while True:
            received = self._receive_one(stop)
            now = time.perf_counter()
            if now < stop:
                continue
            if now >= self._cut:
                raise ConnectionEnded
            if now >= self._leaves:
                raise ConnectionEnded(again=False)
            self._check_overdue(now)
            if not (received and self._connection.holds):
                return

    def _check_overdue(self, now: float) -> None:
        before = now - self._patience
        for _ in self._listener.missed(before) if self._listener else ():
            self._report(self._receives, self._patience * 1000, "not received", 0)
        if self.waiting and next(iter(self.waiting.values())) < before:
            for due in self.waiting.values():
                self._report(ECHO, (now - due) * 1000, "not answered", 0)
            self.waiting.clear()
            raise ConnectionEnded("echo not answered", kind="echo unanswered")

    def _receive_one(self, until: float) -> bool:
        """Wait for a message and handle it; False if none came in time."""
        self._connection.until = until
        try:
            answer = cast("tuple[int, websocket.ABNF]", self._socket.recv_data_frame())  # pyright: ignore[reportUnknownMemberType]
        except (TimeoutError, websocket.WebSocketTimeoutException):
            return False
        except websocket.WebSocketConnectionClosedException:
            raise ConnectionEnded("closed without a close frame") from None
        except OSError as error:
            raise ConnectionEnded(problem_of(error)) from None
        except websocket.WebSocketException as error:
            raise ConnectionEnded(problem_of(error), kind="protocol") from None
        opcode, frame = answer
        data = bytes(frame.data) if isinstance(frame.data, bytes) else b""
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code = int.from_bytes(data[:2]) if len(data) >= 2 else NO_CODE
            orderly = code in self._settings.close_codes
            reason = data[2:].decode("utf-8", "replace")
            raise ConnectionEnded(None if orderly else f"close code {code}", code=code, reason=reason)
        self._handle(data)
        return True

    def _handle(self, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        if self._settings.notice and self._settings.notice in text:
            self.noticed = True
        if self.waiting:
            for number in _NUMBERS.findall(text):
                if (due := self.waiting.pop(number, None)) is not None:
                    self._report(ECHO, (time.perf_counter() - due) * 1000, None, len(data))
                    return
        if self._listener and (age := self._listener.age_of(text)) is not None:
            self._report(self._receives, age, None, len(data))

    def _drain(self, error: BaseException) -> None:
        """After a send that failed: read what is left, up to how the connection ended."""
        until = time.perf_counter() + 1.0
        while self._receive_one(until):
            pass
        raise ConnectionEnded(f"cannot send: {problem_of(error)}")
