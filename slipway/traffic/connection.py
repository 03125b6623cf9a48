"""How a WebSocket ended, and whether that was in order."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Sequence

import websocket

from slipway.traffic.target import Aim

__all__ = ["Ended", "Wire", "connect", "goodbye", "problem_of", "shake_hands"]


NO_CODE = 1005
"""RFC 6455 7.1.5: the close frame held none."""


class Ended(Exception):
    """The connection is over. `error` says what was wrong about that; None: it ended as it should."""

    def __init__(self, error: str | None = None, *, again: bool = True) -> None:
        super().__init__(error or "in order")
        self.error = error
        self.again = again
        """Does the user come back?"""


def goodbye(frame: bytes, orderly: Sequence[int]) -> Ended:
    """What the payload of a close frame means to a client for whom the codes `orderly` are a goodbye."""
    code = struct.unpack("!H", frame[:2])[0] if len(frame) >= 2 else NO_CODE
    return Ended() if code in orderly else Ended(f"close code {code}")


LEAST_WAIT = 0.0005
BLOCK = 65536
WHOLE_TEXT = 0x81
LENGTH_16 = 126


class Wire:
    """A socket to websocket-client, which reads headers a byte and frames a few bytes at a time."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._held = b""
        self._at = 0
        self._timeout: float | None = None
        self.until = 0.0
        """Reading gives up at this time (`time.perf_counter`) with TimeoutError."""

    @property
    def holds(self) -> bool:
        """Has something been received that was not read yet?"""
        return self._at < len(self._held)

    def recv(self, size: int) -> bytes:
        """At most `size` bytes; none when the other side has closed."""
        if self._at >= len(self._held):
            self._fill()
        found = self._held[self._at : self._at + size]
        self._at += len(found)
        return found

    def text(self) -> bytes | None:
        """The next message, if it is text that has come in one piece: nearly all are, and parsing those here
        takes a fraction of what websocket-client takes. None: leave the next frame to it."""
        if self._at >= len(self._held):
            self._fill()
        held, at = self._held, self._at
        if len(held) - at < 4 or held[at] != WHOLE_TEXT or held[at + 1] > LENGTH_16:
            return None
        begin, length = at + 2, held[at + 1]
        if length == LENGTH_16:
            begin, length = at + 4, int.from_bytes(held[at + 2 : at + 4], "big")
        if len(held) - begin < length:
            return None
        self._at = begin + length
        return held[begin : self._at]

    def send(self, data: bytes) -> int:
        """How many bytes of `data` the kernel took; TimeoutError if none within `gettimeout()` seconds."""
        self._raw.settimeout(self._timeout)
        return self._raw.send(data)

    def gettimeout(self) -> float | None:
        """Of sending."""
        return self._timeout

    def settimeout(self, seconds: float | None) -> None:
        """Of sending."""
        self._timeout = seconds

    def fileno(self) -> int:
        """The descriptor."""
        return self._raw.fileno()

    def _fill(self) -> None:
        self._raw.settimeout(max(self.until - time.perf_counter(), LEAST_WAIT))
        self._held, self._at = self._raw.recv(BLOCK), 0

    def shutdown(self, how: int) -> None:
        """End one direction, or both."""
        self._raw.shutdown(how)

    def close(self) -> None:
        """Close it."""
        self._raw.close()

    @property
    def _closed(self) -> bool:
        return self._raw.fileno() < 0


def connect(aim: Aim, timeout: float, *, receive_buffer: int = 0) -> Wire:
    """A new connection. OSError, and for a certificate that is not the site's ssl.SSLError.

    `receive_buffer`: bytes that the kernel takes in for a slow reader; 0: as many as it likes.
    """
    raw = socket.socket(socket.AF_INET6 if ":" in aim.address[0] else socket.AF_INET)
    try:
        if receive_buffer:
            # Before connecting: the window that is announced follows from it.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(timeout)
        raw.connect(aim.address)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if aim.secure:
            raw = aim.tls.wrap_socket(raw, server_hostname=aim.host_name)
    except BaseException:
        raw.close()
        raise
    wire = Wire(raw)
    wire.settimeout(timeout)
    wire.until = time.perf_counter() + timeout
    return wire


def shake_hands(aim: Aim, wire: Wire, path: str, cookies: str = "") -> websocket.WebSocket:
    """The WebSocket at `path` over `wire`; closed if it is refused (websocket.WebSocketException)."""
    client = websocket.WebSocket(skip_utf8_validation=True)
    scheme = "wss" if aim.secure else "ws"
    client.connect(  # pyright: ignore[reportUnknownMemberType]
        f"{scheme}://{aim.authority}{path}",
        socket=wire,
        host=aim.authority,
        origin=aim.url,
        header=aim.headers,
        cookie=cookies or None,
        timeout=wire.gettimeout(),
        redirect_limit=0,  # it would take the load key along
    )
    return client


def problem_of(error: BaseException) -> str:
    """What went wrong with a connection, without addresses: so that like is counted with like."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"certificate refused: {error.verify_message}"
        case websocket.WebSocketBadStatusException():
            return f"handshake refused with {error.status_code}"
        case TimeoutError() | websocket.WebSocketTimeoutException():
            return "timed out"
        case OSError() if error.strerror:
            return error.strerror.lower()
        case _:
            return f"{type(error).__name__}: {error}"[:120]
