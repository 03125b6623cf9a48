"""The measurement: arrivals at fixed times, browsers and sockets, one event loop in the calling thread."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from threading import Event

import aiohttp

from slipway.settings.errors import BadInput
from slipway.traffic.meter.browser import Browser, Clients
from slipway.traffic.meter.report import Report, Second
from slipway.traffic.meter.socket import SignIn, Socket
from slipway.traffic.meter.tally import Asked, Tally, report_of
from slipway.traffic.sign_in import fill_message
from slipway.traffic.target import Target

MOST_RPS = 5000
MOST_SOCKETS = 5000
MOST_SECONDS = 3600
LATE_MS = 50.0
BROWSERS = 50
WITHOUT_COOKIES_EVERY = 5
"""Every fifth browser keeps no cookies, so that both ways of stickiness are used."""
STOP_CHECK_SECONDS = 0.1
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
    echoes = target.websocket is not None and bool(target.websocket.echo)
    asked = Asked(target.url, rps, sockets, seconds, has_key=bool(target.load_key), echoes=echoes)
    return asyncio.run(_Run(target, asked, on_second, stop or Event()).run())


class _Run:
    def __init__(
        self, target: Target, asked: Asked, on_second: Callable[[Second], None] | None, stop: Event
    ) -> None:
        self._target = target
        self._asked = asked
        self._on_second = on_second
        self._stop = stop
        self._tally = Tally()
        self._under_way: set[asyncio.Task[None]] = set()
        self._next_second = 0

    async def run(self) -> Report:
        clients = Clients(self._target)
        sign_in = SignIn(clients)
        if self._asked.sockets and self._target.websocket is not None:
            captures = await sign_in.captures()
            for message in self._target.websocket.open:
                fill_message(message, captures)
        count = min(BROWSERS, max(1, round(self._asked.rps)))
        browsers = [
            Browser(clients, self._tally, aiohttp.DummyCookieJar() if keeps_none(i) else clients.jar(i))
            for i in range(count)
        ]
        sockets = [Socket(i, clients, sign_in, self._tally) for i in range(self._asked.sockets)]
        self._tally.begin()
        busy = time.thread_time()
        async with asyncio.TaskGroup() as group:
            for i, socket in enumerate(sockets):
                group.create_task(self._later(i / OPENED_A_SECOND, socket))
            clock = group.create_task(self._each_second())
            await self._arrivals(browsers)
            ran = self._tally.now()
            clock.cancel()
            if ran >= self._asked.seconds and self._next_second < ran:
                self._end_second()
            for socket in sockets:
                socket.stop()
            if self._under_way:
                await asyncio.wait(self._under_way)
        cpu = (time.thread_time() - busy) / max(self._tally.now(), 0.001) * 100
        for browser in browsers:
            await browser.close()
        return report_of(self._tally, self._asked, ran=ran, cpu_percent=cpu)

    async def _arrivals(self, browsers: list[Browser]) -> None:
        """Start each request at its intended time, whatever became of those before it."""
        rps, sent = self._asked.rps, 0
        planned = math.ceil(rps * self._asked.seconds)
        while not self._stop.is_set():
            now = self._tally.now()
            while sent < planned and (due := sent / rps) <= now:
                self._start(browsers[sent % len(browsers)], sent, due)
                sent += 1
            following = sent / rps if sent < planned else self._asked.seconds
            if sent == planned and now >= self._asked.seconds:
                return
            await asyncio.sleep(min(max(following - self._tally.now(), 0), STOP_CHECK_SECONDS))

    def _start(self, browser: Browser, number: int, due: float) -> None:
        late_ms = (self._tally.now() - due) * 1000
        self._tally.sent(due, late_ms=late_ms, too_late=late_ms > LATE_MS)
        path = self._target.paths[number // BROWSERS % len(self._target.paths)]
        task = asyncio.create_task(self._ask(browser, path, due))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _ask(self, browser: Browser, path: str, due: float) -> None:
        self._tally.ended(await browser.get(path, due))

    async def _later(self, delay: float, socket: Socket) -> None:
        await asyncio.sleep(delay)
        await socket.run()

    async def _each_second(self) -> None:
        while True:
            await asyncio.sleep(max(self._next_second + 1 - self._tally.now(), 0))
            self._end_second()

    def _end_second(self) -> None:
        self._tally.close_second(self._next_second)
        if self._on_second is not None:
            self._on_second(self._tally.second(self._next_second))
        self._next_second += 1


def keeps_none(number: int) -> bool:
    """Does browser `number` keep no cookies?"""
    return number % WITHOUT_COOKIES_EVERY == WITHOUT_COOKIES_EVERY - 1


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
    if sockets and target.websocket is None:
        raise BadInput("--sockets: slipway.toml has no [websocket]", remedy="give --sockets 0")
