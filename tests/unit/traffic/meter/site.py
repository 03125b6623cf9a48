"""A real local server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from slipway.settings import App, Smoke, Step, WebSocket
from slipway.traffic.target import Target

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[web.Request, web.WebSocketResponse], Awaitable[None]]


def target_at(
    url: str,
    *,
    connect: tuple[str, int] | None = None,
    stack: str = "local",
    websocket: WebSocket | None = None,
    steps: list[Step] | None = None,
    **more: Any,
) -> Target:
    """The site at `url` as the meter's target."""
    parts = urlsplit(url)
    written: dict[str, Any] = {
        "name": "board",
        "runtime": {"name": "none"},
        "processes": {"web": {"command": "./serve"}},
    }
    app = App.model_validate(written).model_copy(
        update={"websocket": websocket, "smoke": Smoke(steps=steps or [])}
    )
    address = connect or (parts.hostname or "", parts.port or 80)
    return Target(stack=stack, url=url, address=address, app=app, client="meter", **more)


HEADERS = {"X-Release": "b1", "X-Served-By": "web1"}


class Site:
    """What the server saw."""

    def __init__(self) -> None:
        self.url = ""
        self.port = 0
        self.requests: list[web.Request] = []
        self.served: dict[int, int] = {}
        """Requests of each connection."""
        self.loop: asyncio.AbstractEventLoop

    def number(self, request: web.Request) -> int:
        """Which request of its connection this is, from 1."""
        return self.served[id(request.protocol)]


async def fine(request: web.Request) -> web.StreamResponse:
    return web.json_response({"status": "ok"}, headers=HEADERS)


async def echo_forever(request: web.Request, socket: web.WebSocketResponse) -> None:
    async for message in socket:
        await socket.send_str(message.data)


@contextmanager
def serving(
    answer: Answer = fine, talk: Talk = echo_forever, tls: ssl.SSLContext | None = None
) -> Generator[Site]:
    """The site on a free port, in a thread of its own."""
    site = Site()
    ready = threading.Event()
    done: list[asyncio.Event] = []

    async def http(request: web.Request) -> web.StreamResponse:
        site.requests.append(request)
        key = id(request.protocol)
        site.served[key] = site.served.get(key, 0) + 1
        return await answer(request)

    async def websocket(request: web.Request) -> web.StreamResponse:
        site.requests.append(request)
        socket = web.WebSocketResponse(timeout=0.2)
        socket.headers.update(HEADERS)
        await socket.prepare(request)
        await talk(request, socket)
        return socket

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/ws", websocket)
        app.router.add_route("*", "/{rest:.*}", http)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        listener = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await listener.start()
        site.port = int(runner.addresses[0][1])
        site.url = f"{'https' if tls else 'http'}://127.0.0.1:{site.port}"
        site.loop = asyncio.get_running_loop()
        done.append(asyncio.Event())
        ready.set()
        await done[0].wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield site
    finally:
        site.loop.call_soon_threadsafe(done[0].set)
        thread.join(10)
