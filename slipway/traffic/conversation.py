"""One open WebSocket as its user lives it: what was asked, what is heard, and how it ends."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Mapping
from typing import cast

import gevent
import websocket
from websocket import ABNF

from slipway.settings.traffic_rules import COUNTER
from slipway.traffic.broadcasts import Ear
from slipway.traffic.connection import Ended, Wire, goodbye, problem_of
from slipway.traffic.run import LoadRun
from slipway.traffic.samples import BACKLOG, BROADCAST, ECHO
from slipway.traffic.sign_in import fill_message

__all__ = ["Conversation"]

_NUMBERS = re.compile(r"\d{9,}")
_HERE = "@number@"
NUMBERS_EACH = 1_000_000
NUMBERS_FROM = 1_000_000_000


class Conversation:
    """A connection that is open. Whatever ends it comes as `Ended`, from whichever method is waiting."""

    def __init__(
        self,
        run: LoadRun,
        socket: websocket.WebSocket,
        wire: Wire,
        known: Mapping[str, str],
        number: int,
        *,
        leaves: float,
        storm: float,
    ) -> None:
        """`leaves` and `storm`: when this user means to leave, and when it is cut (`time.perf_counter`)."""
        settings = run.aim.app.websocket
        assert settings is not None
        self._run, self._socket, self._wire = run, socket, wire
        self._settings = settings
        self._echo = fill_message(settings.echo, {**known, COUNTER: _HERE}).split(_HERE)
        self._number = NUMBERS_FROM + number * NUMBERS_EACH
        self._asked: dict[str, float] = {}
        self._ear = Ear(run.broadcasts)
        self._hears = BROADCAST
        self._told = False
        self._whole = True
        """Has websocket-client taken in all of a frame, and nothing of the next?"""
        self._leaves, self._storm = leaves, storm
        self._patience = run.load.patience_seconds
        self._due = 0.0
        self._name = settings.path

    def every(self, seconds: float) -> Iterator[None]:
        """Again and again, listening in between; what is asked then is timed from when it was due."""
        due = time.perf_counter() + random.uniform(0, seconds)  # noqa: S311 - so that not all speak at once
        while True:
            self._listen(due)
            self._due = due
            yield
            due += seconds

    def echo(self) -> None:
        """Send the echo of slipway.toml; its answer is timed when it is heard."""
        if self._told or not self._settings.echo:
            return  # who was told to go elsewhere asks nothing more here, and waits for the goodbye
        now = time.perf_counter()
        due, self._due = self._due or now, 0.0
        self._number += 1
        number = str(self._number)
        self._asked[number] = due
        try:
            self._socket.send(number.join(self._echo))
        except (OSError, websocket.WebSocketException) as error:
            # What the server said last may still be there to be read: its goodbye, most of all.
            self._drain(error)

    def ask(self) -> None:
        """Send the echo and wait for its answer."""
        self.echo()
        until = time.perf_counter() + self._patience
        while self._asked:
            self._hear_one(until)

    def listen(self, seconds: float) -> None:
        """Hear what comes in the next seconds."""
        self._listen(time.perf_counter() + seconds)

    def stall(self, seconds: float) -> None:
        """Read nothing for so long, whatever comes."""
        # From now on what it hears of is old by its own doing.
        self._hears = BACKLOG
        until = min(time.perf_counter() + seconds, self._leaves, self._storm)
        gevent.sleep(max(until - time.perf_counter(), 0))

    def greet(self, messages: list[str]) -> None:
        """Send the opening messages, each of which is answered."""
        for message in messages:
            try:
                self._socket.send(message)
            except (OSError, websocket.WebSocketException) as error:
                self._drain(error)
            if not self._hear_one(time.perf_counter() + self._patience):
                raise Ended("no answer to an opening message")

    def close(self, code: int = 1000) -> None:
        """Say goodbye and do not wait for the answer."""
        try:
            self._wire.settimeout(1.0)
            if self._socket.connected:
                self._socket.send_close(code)
        except (OSError, websocket.WebSocketException):
            pass  # it is over either way
        finally:
            self._socket.shutdown()

    def _listen(self, until: float) -> None:
        stop = min(until, self._leaves, self._storm)
        while True:
            heard = self._hear_one(stop)
            now = time.perf_counter()
            if now < stop:
                continue
            if now >= self._storm:
                raise Ended
            if now >= self._leaves:
                raise Ended(again=False)
            self._overdue(now)
            if not (heard and self._wire.holds):
                return

    def _overdue(self, now: float) -> None:
        before = now - self._patience
        for _ in self._ear.missed(before):
            self._run.tell(self._hears, self._name, self._patience * 1000, "not heard of")
        if self._asked and next(iter(self._asked.values())) < before:
            for due in self._asked.values():
                self._run.tell(ECHO, self._name, (now - due) * 1000, "not answered")
            self._asked.clear()
            raise Ended("echo not answered")

    def _hear_one(self, until: float) -> bool:
        """Wait for a message and take it in; False if none came in time."""
        self._wire.until = until
        try:
            if self._whole and (text := self._wire.text()) is not None:
                self._take(text)
                return True
            self._whole = False
            answer = cast("tuple[int, ABNF]", self._socket.recv_data_frame())  # pyright: ignore[reportUnknownMemberType]
        except (TimeoutError, websocket.WebSocketTimeoutException):
            return False
        except websocket.WebSocketConnectionClosedException:
            raise Ended("closed without a close frame") from None
        except (OSError, websocket.WebSocketException) as error:
            raise Ended(problem_of(error)) from None
        self._whole = True
        opcode, frame = answer
        data = bytes(frame.data) if isinstance(frame.data, bytes) else b""
        if opcode == ABNF.OPCODE_CLOSE:
            raise goodbye(data, self._settings.close_codes)
        self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        if self._asked:
            for number in _NUMBERS.findall(text):
                if (due := self._asked.pop(number, None)) is not None:
                    ms = (time.perf_counter() - due) * 1000
                    self._run.tell(ECHO, self._name, ms, size=len(data))
                    return
        if (old := self._ear.hear(text)) is not None:
            self._run.tell(self._hears, self._name, old, size=len(data))
        elif self._settings.notice and self._settings.notice in text:
            self._told = True

    def _drain(self, error: BaseException) -> None:
        """After a send that failed: read what is left, which ends with how the connection ended."""
        until = time.perf_counter() + 1.0
        while self._hear_one(until):
            pass
        raise Ended(f"cannot send: {problem_of(error)}")
