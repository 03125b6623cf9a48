"""The app behind every proxy of `bench.path`: a short answer, a page of 10 kB, a POST, echoing WebSockets.

python -m bench.path_app PORT
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys

HEALTH = b'{"status":"ok","uptime":1,"version":"bench","timestamp":"1970-01-01"}'
PAGE = b"<p>" + b"0123456789" * 1000 + b"</p>"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class App(asyncio.Protocol):
    """Keeps connections until the client says `Connection: close`; echoes the frames of a WebSocket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.held, self.upgraded = transport, b"", False

    def data_received(self, data: bytes) -> None:
        self.held += data
        while self.held and (self._echo() if self.upgraded else self._answer()):
            pass

    def _answer(self) -> bool:
        """Answer the first whole request that is held; is there one?"""
        head, end, rest = self.held.partition(b"\r\n\r\n")
        if not end:
            return False
        first, *lines = head.split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        length = int(headers.get(b"content-length", 0))
        if len(rest) < length:
            return False
        self.held = rest[length:]
        if b"sec-websocket-key" in headers:
            accept = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + _GUID).digest())
            upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            self.transport.write(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            self.upgraded = True
            return True
        body = PAGE if b" /page " in first else HEALTH
        kept = headers.get(b"connection", b"").lower() != b"close" and first.endswith(b"1.1")
        said = b"keep-alive" if kept else b"close"
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (said, len(body), body)
        )
        if not kept:
            self.transport.close()
        return kept

    def _echo(self) -> bool:
        """Send the first whole frame that is held back, unmasked; frames here are shorter than 126 bytes."""
        if len(self.held) < 2 or len(self.held) < (size := 6 + (self.held[1] & 127)):
            return False
        mask, masked = self.held[2:6], self.held[6:size]
        plain = bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked))
        self.transport.write(bytes((self.held[0], len(plain))) + plain)
        self.held = self.held[size:]
        return True


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(App, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
