"""A small site in a thread, with real HTTP and WebSockets, that can stand still and leave in many ways."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

TOKEN = "t0ken"


@dataclass
class Seen:
    """One request as the site saw it."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class LittleSite:
    """Started by `with`. What it is to do is set before, or meanwhile."""

    tls: ssl.SSLContext | None = None
    goodbye: str = ""
    """How each socket ends after its first echo: `notice`, `code`, `cut`; empty: not at all."""
    deaf: bool = False
    """Do writes go untold?"""
    mute: bool = False
    """Do echoes go unanswered?"""
    elsewhere: str = ""
    """Where `/moved` sends clients."""
    seen: list[Seen] = field(default_factory=list[Seen])
    opened: list[float] = field(default_factory=list[float])
    sent: Counter[str] = field(default_factory=Counter[str])
    """How many messages of each type went to the sockets, counted before each leaves."""
    port: int = 0
    _sockets: set[web.WebSocketResponse] = field(default_factory=set[web.WebSocketResponse])

    def __enter__(self) -> LittleSite:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def freeze(self, after: float, seconds: float) -> None:
        """Stand still: accept and answer nothing."""
        self._loop.call_soon_threadsafe(self._loop.call_later, after, time.sleep, seconds)

    def count(self, method: str, path: str) -> int:
        return sum(each.method == method and each.path == path for each in self.seen)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        ready.set()
        self._loop.run_forever()

    async def _start(self) -> None:
        app = web.Application(middlewares=[self._note])
        app.router.add_get("/", self._page)
        app.router.add_get("/moved", self._moved)
        app.router.add_post("/sign-in", self._sign_in)
        app.router.add_get("/tasks", self._tasks)
        app.router.add_post("/tasks", self._write)
        app.router.add_delete("/tasks/{id}", self._remove)
        app.router.add_get("/ws", self._socket)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.tls).start()
        self.port = runner.addresses[0][1]

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.seen.append(Seen(request.method, request.path, dict(request.headers)))
        return await handler(request)

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _moved(self, _: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": self.elsewhere})

    async def _sign_in(self, request: web.Request) -> web.Response:
        right = (await request.json()).get("password") == "right"
        return web.json_response({"token": TOKEN} if right else {}, status=200 if right else 401)

    def _known(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {TOKEN}"

    async def _tasks(self, request: web.Request) -> web.Response:
        return web.json_response([], status=200 if self._known(request) else 401)

    async def _write(self, request: web.Request) -> web.Response:
        if not self._known(request):
            return web.Response(status=401)
        title = (await request.json())["title"]
        if not self.deaf:
            for each in list(self._sockets):
                self.sent["CREATED"] += 1
                await each.send_str(json.dumps({"type": "CREATED", "title": title}))
        return web.json_response({"id": "7", "title": title}, status=201)

    async def _remove(self, _: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.opened.append(time.monotonic())
        async for message in socket:
            if message.type != WSMsgType.TEXT:
                break
            said = json.loads(message.data)
            if said["type"] == "AUTH":
                self._sockets.add(socket)
                await socket.send_str('{"type":"AUTHENTICATED"}')
            elif not self.mute:
                self.sent["PONG"] += 1
                await socket.send_str(json.dumps({"type": "PONG", "n": said["n"]}))
                await self._leave(request, socket)
        self._sockets.discard(socket)
        return socket

    async def _leave(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        match self.goodbye:
            case "notice":
                await socket.send_str('{"type":"SHUTDOWN"}')
                await socket.close(code=1001)
            case "code":
                await socket.close(code=1011)
            case "cut":
                assert request.transport
                request.transport.abort()
            case _:
                pass
