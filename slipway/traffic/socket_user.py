"""A user at an open WebSocket: comes when the profile wants one more, and comes back when it was cut."""

# Locust and its HTTP client are partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import random
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

import gevent
import websocket
from locust import User, task
from locust.env import Environment
from locust.user.task import LOCUST_STATE_WAITING

from slipway.settings.app import App
from slipway.settings.errors import SlipwayError
from slipway.traffic.connection import Ended, connect, problem_of, shake_hands
from slipway.traffic.conversation import Conversation
from slipway.traffic.run import run_of
from slipway.traffic.samples import CONNECT, OPEN, SESSION, VISIT
from slipway.traffic.sign_in import fill_message
from slipway.traffic.target import STICKY_COOKIE

__all__ = ["SocketUser"]

LONGEST_PAUSE = 30.0
AFTER_FAILURE = 1.0
GOING_AWAY = 1001


class SocketUser(User):
    """Subclass it and write `visit`: what the user does on one connection, until that ends."""

    abstract = True

    @classmethod
    def suits(cls, app: App) -> bool:
        """Can this user do anything on `app`? Otherwise it stays at home."""
        return app.websocket is not None

    def __init__(self, environment: Environment) -> None:
        self.load = run_of(environment)
        self.aim = self.load.aim
        self.host = self.aim.url
        super().__init__(environment)
        settings = self.aim.app.websocket
        assert settings is not None
        self.settings = settings
        self.number = next(self.load.numbers)
        self._seat = self.load.seat(type(self))
        self._failures = 0
        self._again = False
        self._due = self._leaves = 0.0

    def visit(self) -> None:
        """The scenario: what is done on one connection. Ends when the connection does."""
        raise NotImplementedError(f"{type(self).__name__}.visit")

    @property
    def echo_seconds(self) -> float:
        """`load.echo_seconds`."""
        return self.load.load.echo_seconds

    @contextmanager
    def connect(self, *, receive_buffer: int = 0) -> Generator[Conversation]:
        """An open connection that has been greeted. Its end, whatever the reason, ends the block."""
        line, opened = self._open(receive_buffer)
        self.load.sockets_open += 1
        error: str | None = None
        try:
            yield line
        except Ended as ended:
            error = ended.error
            raise
        finally:
            self.load.sockets_open -= 1
            self.load.tell(SESSION, self.settings.path, (time.perf_counter() - opened) * 1000, error)
            line.close(GOING_AWAY)

    # ── when there is a connection ────────────────────────────────────────────────────────────────

    @task
    def _sit(self) -> None:
        # Locust may end this user at once at any time: sitting there is all it does.
        self._state = LOCUST_STATE_WAITING
        run, schedule = self.load, self.load.profile.schedule
        place = run.place(type(self), self._seat)
        with suppress(SlipwayError):  # whoever connects will hear of it again
            run.identity.session()
        zero, at = run.zero, schedule.seat_opens(place)
        while at is not None:
            until = schedule.seat_closes(place, at)
            self._leaves = zero + until
            self._due, self._again, self._failures = zero + at, False, 0
            while self._due < self._leaves:
                _sleep_until(self._due)
                if not self._come():
                    break
                self._due, self._again = time.perf_counter() + self._pause(), True
            at = schedule.seat_opens(place, until)
        while True:
            gevent.sleep(60)

    def _come(self) -> bool:
        """One connection, from its intended start to its end. Does the user come back?"""
        try:
            self.visit()
        except Ended as ended:
            self._failures = self._failures + 1 if ended.error else 0
            return ended.again
        except SlipwayError as failed:
            ms = (time.perf_counter() - self._due) * 1000
            self.load.tell(VISIT, type(self).__name__, ms, failed.message)
            self._failures += 1
        return True

    def _pause(self) -> float:
        """Seconds until the next attempt: at random, and longer and longer while they fail."""
        longest = self.load.load.reconnect_seconds
        if self._failures:
            longest = min(max(longest, AFTER_FAILURE) * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE)
        return random.uniform(0, longest)  # noqa: S311 - so that not all come back at once

    def _open(self, receive_buffer: int) -> tuple[Conversation, float]:
        run, path = self.load, self.settings.path
        known = {**self.aim.values, **run.identity.session().captures}
        name = f"{path} again" if self._again else path
        timeout = run.load.patience_seconds
        try:
            wire = connect(self.aim, timeout, receive_buffer=receive_buffer)
            socket = shake_hands(self.aim, wire, path, self._cookies())
        except (OSError, websocket.WebSocketException) as error:
            problem = problem_of(error)
            run.tell(CONNECT, name, (time.perf_counter() - self._due) * 1000, problem)
            raise Ended(problem) from None
        opened = time.perf_counter()
        run.tell(CONNECT, name, (opened - self._due) * 1000)
        storm = run.zero + run.profile.schedule.next_storm(run.at)
        line = Conversation(run, socket, wire, known, self.number, leaves=self._leaves, storm=storm)
        if self.settings.open:
            try:
                line.greet([fill_message(message, known) for message in self.settings.open])
            except BaseException as error:
                if isinstance(error, Ended):
                    run.tell(OPEN, name, (time.perf_counter() - opened) * 1000, error.error)
                line.close(GOING_AWAY)
                raise
            run.tell(OPEN, name, (time.perf_counter() - opened) * 1000)
        return line, opened

    def _cookies(self) -> str:
        home = self.aim.home(self.number)
        own = [f"{STICKY_COOKIE}={home}"] if home else []
        return "; ".join([*own, *(f"{each.name}={each.value}" for each in self.load.identity.cookies)])


def _sleep_until(at: float) -> None:
    while (left := at - time.perf_counter()) > 0:
        gevent.sleep(min(left, 60))
