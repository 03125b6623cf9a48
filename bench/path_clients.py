"""Load that wrk cannot send: an open model of requests, and WebSockets that echo. Prints what it saw as JSON.

python -m bench.path_clients open|sockets PORT TLS SECONDS RATE-OR-SOCKETS
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time

from bench.path_app import HEALTH

_REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
_UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_FRAME = b"\x81\xa0" + b"\0" * 4 + b"p" * 32
"""A text frame of 32 bytes; a mask of zeros is a mask."""
_CONNECTIONS = 64


def _tls(wanted: bool) -> ssl.SSLContext | None:
    if not wanted:
        return None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def open_model(port: int, tls: bool, seconds: float, rate: float) -> dict[str, float]:
    """`rate` requests a second, due at fixed times whatever the answers, and timed from then."""
    idle: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.LifoQueue()
    context = _tls(tls)
    for _ in range(_CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", port, ssl=context))
    took: list[float] = []
    failed = 0

    async def ask(due: float) -> None:
        nonlocal failed
        reader, writer = await idle.get()
        try:
            writer.write(_REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(HEALTH))
            failed += not head.startswith(b"HTTP/1.1 200")
        except (OSError, EOFError):
            failed += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        idle.put_nowait((reader, writer))
        took.append(time.perf_counter() - due)

    begin = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            tasks.create_task(ask(due))
    return {**_spread(took), "failed": failed}


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
