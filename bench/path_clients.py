"""Load that wrk cannot send: an open model of requests, and WebSockets that echo. Prints what it saw as JSON.

python -m bench.path_clients open|sockets PORT TLS SECONDS RATE-OR-SOCKETS
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections import deque

from bench.path_app import HEALTH

_REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
_UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_FRAME = b"\x81\xa0" + b"\0" * 4 + b"p" * 32
"""A text frame of 32 bytes; a mask of zeros is a mask."""
_CONNECTIONS = 64
_PATIENCE = 20.0
"""Seconds for the last answers."""


def _tls(wanted: bool) -> ssl.SSLContext | None:
    if not wanted:
        return None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Asker(asyncio.Protocol):
    """One kept connection of the open model, which asks for one thing at a time."""

    def __init__(self, model: OpenModel) -> None:
        self._model, self._due, self._held = model, 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, due: float) -> None:
        """Send the request that was due at `due`."""
        self._due, self._held = due, b""
        self._transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, end, body = self._held.partition(b"\r\n\r\n")
        if end and len(body) >= len(HEALTH):
            due, self._due = self._due, 0.0
            self._model.answered(self, due, is_good=head.startswith(b"HTTP/1.1 200"))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._model.lost(self._due)


class OpenModel:
    """Requests that are due at fixed times whatever the answers, and timed from then."""

    def __init__(self, port: int, tls: bool) -> None:
        self._port, self._context = port, _tls(tls)
        self._idle: list[Asker] = []
        self._waiting: deque[float] = deque()
        self._again: set[asyncio.Task[None]] = set()
        self.took: list[float] = []
        self.failed = 0

    async def connect(self) -> None:
        """One more connection."""
        loop = asyncio.get_running_loop()
        _, asker = await loop.create_connection(
            lambda: Asker(self), "127.0.0.1", self._port, ssl=self._context
        )
        self._next(asker)

    def due(self, when: float) -> None:
        """A request is due; it is sent as soon as a connection is idle."""
        self._waiting.append(when)
        if self._idle:
            self._next(self._idle.pop())

    def answered(self, asker: Asker, due: float, *, is_good: bool) -> None:
        self.took.append(time.perf_counter() - due)
        self.failed += not is_good
        self._next(asker)

    def lost(self, due: float) -> None:
        """A connection has ended; `due`: of the request that it had not answered, or 0."""
        if due:
            self.took.append(time.perf_counter() - due)
            self.failed += 1
        task = asyncio.ensure_future(self.connect())
        self._again.add(task)
        task.add_done_callback(self._again.discard)

    def _next(self, asker: Asker) -> None:
        if self._waiting:
            asker.ask(self._waiting.popleft())
        else:
            self._idle.append(asker)


async def open_model(port: int, tls: bool, seconds: float, rate: float) -> dict[str, float]:
    """`rate` requests a second; with the share of a core that this generator needed."""
    model = OpenModel(port, tls)
    for _ in range(_CONNECTIONS):
        await model.connect()
    begin, cpu, count = time.perf_counter(), time.process_time(), int(rate * seconds)
    for number in range(count):
        due = begin + number / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        model.due(due)
    ends = time.perf_counter() + _PATIENCE
    while len(model.took) < count and time.perf_counter() < ends:
        await asyncio.sleep(0.05)
    core = (time.process_time() - cpu) / (time.perf_counter() - begin)
    return {**_spread(model.took), "failed": model.failed + count - len(model.took), "core": core}


async def sockets(port: int, tls: bool, seconds: float, count: float) -> dict[str, float]:
    """`count` sockets, each of which sends again when its message has come back."""
    context, took, failed = _tls(tls), list[float](), 0
    gate = asyncio.Semaphore(50)
    begun, ends = asyncio.Event(), 0.0

    async def one() -> None:
        nonlocal failed
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            writer.write(_UPGRADE)
            failed += not (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        ready.release()
        await begun.wait()
        while (sent := time.perf_counter()) < ends:
            writer.write(_FRAME)
            await reader.readexactly(len(_FRAME) - 4)
            took.append(time.perf_counter() - sent)

    ready = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(int(count)):
            tasks.create_task(one())
        for _ in range(int(count)):
            await ready.acquire()
        ends = time.perf_counter() + seconds
        begun.set()
    return {**_spread(took), "failed": failed, "rate": len(took) / seconds}


def _spread(took: list[float]) -> dict[str, float]:
    ordered = sorted(took)
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[int(len(ordered) * 0.99)]}


if __name__ == "__main__":
    kind = open_model if sys.argv[1] == "open" else sockets
    port, tls, seconds, size = (float(each) for each in sys.argv[2:])
    print(json.dumps(asyncio.run(kind(int(port), bool(tls), seconds, size))))
