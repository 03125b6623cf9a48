"""Servers that cost next to nothing, so that the load generator is measured: HTTP, and a WebSocket echo."""

from __future__ import annotations

import asyncio
import sys
import time

from aiohttp import WSMsgType, web

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"


class Http(asyncio.Protocol):
    """Answers every request of a kept connection with the same 2 bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.held = b""

    def data_received(self, data: bytes) -> None:
        *requests, self.held = (self.held + data).split(b"\r\n\r\n")
        self.transport.write(ANSWER * len(requests))


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Sends every message back."""
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


async def serve(kind: str, freeze_at: float, freeze_seconds: float) -> None:
    """Prints its port; stands still once, `freeze_at` seconds after the line `go` comes on standard input."""
    loop = asyncio.get_running_loop()
    if kind == "ws":
        app = web.Application()
        app.router.add_get("/ws", echo)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
    else:
        server = await loop.create_server(Http, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
    if freeze_seconds:
        await asyncio.to_thread(sys.stdin.readline)
        await asyncio.sleep(freeze_at)
        time.sleep(freeze_seconds)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
