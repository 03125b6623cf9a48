"""The measurement: requests at fixed times, and sockets, in greenlets of the calling thread.

It is the load tests' generator without locust, which is slow to import and patches the standard library of
the process that imports it.
"""

# gevent is partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import json
import time
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any

import gevent.pool
from geventhttpclient.response import HTTPParseError

from slipway.settings import BadInput, SlipwayError
from slipway.traffic.arrivals import sleep_until
from slipway.traffic.connection import HttpClient
from slipway.traffic.meter.clients import TIMEOUT_SECONDS, Browser, Socket
from slipway.traffic.meter.report import Report, Second
from slipway.traffic.meter.tally import Plan, Tally, report_of
from slipway.traffic.profile import steady
from slipway.traffic.sign_in import Answer, Identity, Session, fill_message, sign_in, sign_in_steps
from slipway.traffic.target import Target

MOST_RPS = 5000
MOST_SOCKETS = 5000
MOST_SECONDS = 3600
LATE_MS = 50.0
BROWSERS = 50
OPENED_A_SECOND = 100


def measure(
    target: Target,
    rps: float,
    sockets: int,
    seconds: float,
    *,
    on_second: Callable[[Second], None] | None = None,
    stop: Event | None = None,
) -> Report:
    """Send `rps` requests a second and keep `sockets` echoing for `seconds`, and report.

    Blocks; safe in a thread. `on_second` is called in it after each second; setting `stop` ends the run early
    with a report of what was seen. BadInput beyond the bounds; SlipwayError if signing in fails at the start.
    """
    _check(target, rps, sockets, seconds)
    settings = target.app.websocket
    echoes = settings is not None and bool(settings.echo)
    plan = Plan(target.url, rps, sockets, seconds, has_key=bool(target.load_key), echoes=echoes)
    return _Run(target, plan, on_second, stop or Event()).run()


class _Run:
    def __init__(
        self, target: Target, plan: Plan, on_second: Callable[[Second], None] | None, stop: Event
    ) -> None:
        self._target = target
        self._plan = plan
        self._on_second = on_second
        self._stop = stop
        self._tally = Tally()
        self._under_way: Any = gevent.pool.Group()
        self._next_second = 0

    def run(self) -> Report:
        identity = Identity(lambda: _sign_in(self._target))
        if self._plan.sockets and self._target.app.websocket is not None:
            captures = identity.session().captures
            for message in self._target.app.websocket.open:
                fill_message(message, captures)
        browsers = [
            Browser(number, self._target, self._tally)
            for number in range(min(BROWSERS, max(1, round(self._plan.rps))))
        ]
        sockets = [
            Socket(n, self._target, identity, self._tally, self._plan.seconds)
            for n in range(self._plan.sockets)
        ]
        self._tally.begin()
        busy = time.thread_time()
        connected: list[Any] = []
        opening: Any = gevent.spawn(self._open, sockets, connected)
        clock: Any = gevent.spawn(self._each_second)
        self._send(browsers)
        ran = self._tally.now()
        for socket in sockets:
            socket.stop()
        gevent.killall([clock, opening])
        # All whole seconds, and of a run that was not stopped early its last, which may be a part of one.
        while self._next_second < (self._plan.seconds if ran >= self._plan.seconds else int(ran)):
            self._end_second()
        self._under_way.join()
        gevent.joinall(connected, raise_error=True)
        self._tally.sockets_not_tried = sum(not socket.tried for socket in sockets)
        cpu = (time.thread_time() - busy) / max(self._tally.now(), 0.001) * 100
        for browser in browsers:
            browser.close()
        return report_of(self._tally, self._plan, ran=ran, cpu_percent=cpu)

    def _open(self, sockets: list[Socket], connected: list[Any]) -> None:
        """Connect each socket when its turn comes; the greenlets are added to `connected`."""
        for number, socket in enumerate(sockets):
            sleep_until(self._tally.zero + number / OPENED_A_SECOND)
            connected.append(gevent.spawn(socket.run))

    def _send(self, browsers: list[Browser]) -> None:
        """Start each request when it is due, whatever became of those before it."""
        plan, zero = self._plan, self._tally.zero
        schedule = steady(plan.rps, plan.sockets, plan.seconds).schedule
        for number, due in enumerate(schedule.arrivals()):
            if not sleep_until(zero + due, self._stop.is_set):
                return
            late_ms = (self._tally.now() - due) * 1000
            self._tally.sent(due, late_ms=late_ms, too_late=late_ms > LATE_MS)
            paths = self._target.app.load_paths
            browser, path = browsers[number % len(browsers)], paths[number // BROWSERS % len(paths)]
            self._under_way.spawn(self._request, browser, path, due)
        sleep_until(zero + plan.seconds, self._stop.is_set)

    def _request(self, browser: Browser, path: str, due: float) -> None:
        self._tally.ended(browser.get(path, due))

    def _each_second(self) -> None:
        while True:
            due = self._next_second + 1
            sleep_until(self._tally.zero + due)
            self._tally.worst_lag = max(self._tally.worst_lag, self._tally.now() - due)
            self._end_second()

    def _end_second(self) -> None:
        self._tally.close_second(self._next_second)
        if self._on_second is not None:
            self._on_second(self._tally.second(self._next_second))
        self._next_second += 1


def _sign_in(target: Target) -> Session:
    """Sign in by the smoke steps that the sockets need."""
    steps = sign_in_steps(target.app)
    expected = iter(steps)
    client = HttpClient(target, TIMEOUT_SECONDS)

    def send(method: str, path: str, headers: Mapping[str, str], body: object) -> Answer:
        step = next(expected)
        try:
            if body is None:
                answer = client.request(method, path, headers=headers)
            else:
                sent = {"Content-Type": "application/json", **headers}
                answer = client.request(method, path, json.dumps(body), sent)
            return Answer(answer.get_code(), answer.read().decode("utf-8", "replace"))
        except (OSError, HTTPParseError) as error:
            raise SlipwayError(f"sign-in step {step.name!r}: no answer ({type(error).__name__})") from error

    try:
        return sign_in(steps, target.app, target.values, send)
    finally:
        client.close()


def _check(target: Target, rps: float, sockets: int, seconds: float) -> None:
    for name, value, most in (
        ("--rps", rps, MOST_RPS),
        ("--sockets", sockets, MOST_SOCKETS),
        ("--seconds", seconds, MOST_SECONDS),
    ):
        if not 0 <= value <= most:
            raise BadInput(f"{name}: must be from 0 to {most}, got {value:g}")
    if seconds == 0 or (rps == 0 and sockets == 0):
        raise BadInput("nothing to measure", remedy="give --seconds, and --rps or --sockets, above 0")
    if sockets and target.app.websocket is None:
        raise BadInput("--sockets: slipway.toml has no [websocket]", remedy="give --sockets 0")
