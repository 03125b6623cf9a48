"""Users of load tests: one comes whenever a visit is due, one keeps a WebSocket. `visit` is the scenario."""

# Locust and its HTTP client are partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

import random
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import gevent
import websocket
from locust import FastHttpUser, User, task
from locust.env import Environment

from slipway.settings import STICKY_COOKIE, App, SlipwayError, Step
from slipway.traffic.connection import open_connection, open_websocket, problem_of
from slipway.traffic.conversation import ConnectionEnded, Conversation
from slipway.traffic.http_session import HttpSession
from slipway.traffic.run import run_of
from slipway.traffic.samples import CONNECT, OPEN, SESSION, VISIT
from slipway.traffic.sign_in import fill, fill_body, fill_message, pick

__all__ = ["HttpUser", "SocketUser"]


class HttpUser(FastHttpUser):
    """Makes a visit whenever one is due: subclass it and write `visit`.

    The first request of a visit is timed from when the visit was due.
    """

    abstract = True
    insecure = False
    visit_seconds: ClassVar[float] = 5.0
    """Expected longest visit: times the arrivals a second, it gives the number of users that stand by."""

    client: HttpSession  # pyright: ignore[reportIncompatibleVariableOverride] - it is one of locust's

    @classmethod
    def suits(cls, app: App) -> bool:
        """False if this user has nothing to do on `app`; it is then not spawned."""
        del app
        return True

    @classmethod
    def own_rate(cls, app: App) -> float | None:
        """Visits a second; None: a share of the profile's arrivals, by `weight`."""
        del app

    def __init__(self, environment: Environment) -> None:
        self.load = run_of(environment)
        self.target = self.load.target
        self.host = self.target.url
        super().__init__(environment)
        self.client = HttpSession(  # pyright: ignore[reportIncompatibleVariableOverride] - the same
            self.target,
            environment.events.request,
            self,
            number=next(self.load.numbers),
            timeout=self.load.load.patience_seconds,
        )
        self._queue = self.load.queue(type(self))
        self._called = False

    def visit(self) -> None:
        """The scenario: one visit, from arriving to leaving."""
        raise NotImplementedError(f"{type(self).__name__}.visit")

    # ── what a visit is made of ───────────────────────────────────────────────────────────────────

    def get(self, path: str, **options: Any) -> Any:
        """GET, as `self.client.get`."""
        return self.client.request("GET", path, **options)

    def signed_in(self) -> dict[str, str]:
        """Headers of the signed-in smoke user; where the app uses cookies instead, this user now has them."""
        session = self.load.identity.session()
        if not session.headers:
            for cookie in self.load.identity_cookies:
                self.client.cookiejar.set_cookie(cookie)
        return dict(session.headers)

    def take(self, step: Step, known: dict[str, str]) -> None:
        """Make the request of a smoke step, filled from `known`; what it captures is added to `known`.

        A wrong status or text is an error of the request, and ends the visit.
        """
        method, _, template = step.request.partition(" ")
        headers = {name: fill(value, known) for name, value in step.headers.items()}
        body = None if step.body is None else fill_body(step.body, known)
        with self.client.request(
            method, fill(template, known), template, headers=headers, json=body, catch_response=True
        ) as answer:
            if answer.status_code != step.status:
                if answer.status_code:
                    answer.failure(f"expected {step.status}, got {answer.status_code}")
                raise Unexpected(step.name)
            text = answer.text or ""
            if step.contains and step.contains not in text:
                answer.failure(f"the answer does not contain {step.contains!r}")
                raise Unexpected(step.name)
            answer.success()
            if step.capture:
                document = answer.json()
                known.update({name: pick(document, dotted) for name, dotted in step.capture.items()})

    def known(self) -> dict[str, str]:
        """Values for the smoke steps after sign-in: the env of scope smoke, and what the sign-in captured."""
        session = self.load.identity.session()
        if not session.headers:
            self.signed_in()
        return {**self.target.values, **session.captures}

    # ── when visits are made ──────────────────────────────────────────────────────────────────────

    def wait_time(self) -> float:
        """Waits until a visit is due. Locust may end a user that waits; one on a visit finishes it first."""
        self._queue.wait()
        self._called = True
        return 0.0

    @task
    def _visit_when_due(self) -> None:
        if not self._called:
            return  # locust's first call, before it has waited
        self._called = False
        due = self._queue.take()
        if due is None:
            return  # dropped meanwhile
        self.client.due = due
        try:
            self.visit()
        except Unexpected:
            pass
        except SlipwayError as failed:
            self._abandoned(failed)
        finally:
            self._queue.finish()

    def _abandoned(self, failed: SlipwayError) -> None:
        """Report a visit that could not go on though no request of it failed, for want of a sign-in."""
        due, self.client.due = self.client.due, None
        began = due if due is not None else self.client.began
        self.load.report(VISIT, type(self).__name__, (time.perf_counter() - began) * 1000, failed.message)


class Unexpected(Exception):
    """The visit cannot go on; the request that caused it has been reported."""


LONGEST_PAUSE = 30.0
FIRST_PAUSE = 1.0
"""Longest pause after the first failure; it doubles with each further one."""
GOING_AWAY = 1001
NUMBERS_FROM, NUMBERS_EACH = 1_000_000_000, 1_000_000
"""Echo numbers: each user has its own, so an answer cannot be taken for another's."""


class SocketUser(User):
    """Has a connection when the profile wants one more, and connects again when it is cut.

    Subclass it and write `visit`: what the user does on one connection, until that ends.
    """

    abstract = True

    @classmethod
    def suits(cls, app: App) -> bool:
        """False if this user has nothing to do on `app`; it is then not spawned."""
        return app.websocket is not None

    def __init__(self, environment: Environment) -> None:
        self.load = run_of(environment)
        self.target = self.load.target
        self.host = self.target.url
        super().__init__(environment)
        settings = self.target.app.websocket
        assert settings is not None
        self.settings = settings
        self.number = next(self.load.numbers)
        self._index = self.load.socket_index(type(self))
        self._failures = 0
        self._again = False
        self._due = self._leaves = 0.0

    def visit(self) -> None:
        """The scenario: what the user does on one connection. Ends when the connection does."""
        raise NotImplementedError(f"{type(self).__name__}.visit")

    @property
    def echo_seconds(self) -> float:
        """`load.echo_seconds` of slipway.toml."""
        return self.load.load.echo_seconds

    @contextmanager
    def connect(self, *, receive_buffer: int = 0) -> Generator[Conversation]:
        """An open, greeted connection. Its end, whatever the reason, ends the block.

        `receive_buffer`: bytes that the kernel buffers for a slow reader; 0: the kernel's default.
        """
        conversation, opened = self._open(receive_buffer)
        self.load.sockets_open += 1
        error: str | None = None
        try:
            yield conversation
        except ConnectionEnded as ended:
            error = ended.error
            raise
        finally:
            self.load.sockets_open -= 1
            self.load.report(SESSION, self.settings.path, (time.perf_counter() - opened) * 1000, error)
            conversation.close(GOING_AWAY)

    # ── when there is a connection ────────────────────────────────────────────────────────────────

    @task
    def _connect_when_due(self) -> None:
        """Lasts as long as the run, which stops its connected users at its end."""
        self.load.connected.add(self)
        try:
            self._connections()
            gevent.sleep(float("inf"))
        finally:
            self.load.connected.discard(self)

    def _connections(self) -> None:
        run, schedule = self.load, self.load.profile.schedule
        rank = run.socket_rank(type(self), self._index)
        with suppress(SlipwayError):  # it is reported when this user connects
            run.identity.session()
        zero, at = run.zero, schedule.socket_opens(rank)
        while at is not None:
            until = schedule.socket_closes(rank, at)
            self._leaves = zero + until
            self._due, self._again, self._failures = zero + at, False, 0
            while self._due < self._leaves:
                _sleep_until(self._due)
                if not self._one_connection():
                    break
                self._due, self._again = time.perf_counter() + self._pause(), True
            at = schedule.socket_opens(rank, until)

    def _one_connection(self) -> bool:
        """One connection, from when it is due to its end; False if the user does not come back."""
        try:
            self.visit()
        except ConnectionEnded as ended:
            self._failures = self._failures + 1 if ended.error else 0
            return ended.again
        except SlipwayError as failed:
            ms = (time.perf_counter() - self._due) * 1000
            self.load.report(VISIT, type(self).__name__, ms, failed.message)
            self._failures += 1
        return True

    def _pause(self) -> float:
        """Seconds until the next attempt: random, and longer with each failure."""
        longest = self.load.load.reconnect_seconds
        if self._failures:
            longest = min(max(longest, FIRST_PAUSE) * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE)
        return random.uniform(0, longest)  # noqa: S311 - so that not all come back at once

    def _open(self, receive_buffer: int) -> tuple[Conversation, float]:
        run, path = self.load, self.settings.path
        known = {**self.target.values, **run.identity.session().captures}
        name = f"{path} again" if self._again else path
        timeout = run.load.patience_seconds
        try:
            connection = open_connection(self.target, timeout, receive_buffer=receive_buffer)
            socket = open_websocket(self.target, connection, path, self._cookies())
        except (OSError, websocket.WebSocketException) as error:
            problem = problem_of(error)
            run.report(CONNECT, name, (time.perf_counter() - self._due) * 1000, problem)
            raise ConnectionEnded(problem) from None
        opened = time.perf_counter()
        run.report(CONNECT, name, (opened - self._due) * 1000)
        conversation = Conversation(
            socket,
            connection,
            self.settings,
            known,
            report=lambda kind, ms, error, size: run.report(kind, path, ms, error, size),
            patience=timeout,
            first_number=NUMBERS_FROM + self.number * NUMBERS_EACH,
            broadcasts=run.broadcasts,
            until=(self._leaves, run.zero + run.profile.schedule.next_storm(run.at)),
        )
        if self.settings.open:
            try:
                conversation.greet([fill_message(message, known) for message in self.settings.open], timeout)
            except BaseException as error:
                if isinstance(error, ConnectionEnded):
                    run.report(OPEN, name, (time.perf_counter() - opened) * 1000, error.error)
                conversation.close(GOING_AWAY)
                raise
            run.report(OPEN, name, (time.perf_counter() - opened) * 1000)
        return conversation, opened

    def _cookies(self) -> str:
        home = self.target.home(self.number)
        own = [f"{STICKY_COOKIE}={home}"] if home else []
        return "; ".join([*own, *(f"{each.name}={each.value}" for each in self.load.identity_cookies)])


def _sleep_until(at: float) -> None:
    while (left := at - time.perf_counter()) > 0:
        gevent.sleep(min(left, 60))
