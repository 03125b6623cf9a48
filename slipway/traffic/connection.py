"""Connections to the target: TCP and TLS by gevent, HTTP by geventhttpclient, WebSockets by websocket-client.

gevent's own socket and ssl modules are used, so that the meter runs in a process that locust has not patched.
"""

# gevent and its HTTP client are partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

import ssl
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import websocket
from gevent import monkey, socket, ssl as gevent_ssl
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketPoolResponse

from slipway.traffic.target import Target

__all__ = ["Closed", "Connection", "HttpClient", "open_connection", "open_websocket", "problem_of"]

SHORTEST_WAIT = 0.0005
BLOCK = 65536
_poll: Any = monkey.get_original("select", "poll")


class Closed(ConnectionError):
    """The server closed the connection before its answer was complete."""

    def __init__(self, reason: str, *, silent: bool) -> None:
        super().__init__(reason)
        self.silent = silent
        """True if no byte of the answer had come."""


class Connection:
    """A socket that reads through a buffer and gives up at a moment in time.

    websocket-client reads headers byte by byte, and geventhttpclient knows only a time-out for each read.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._held = b""
        self._at = 0
        self._timeout: float | None = None
        self.until = 0.0
        """Reading raises TimeoutError at this time (`time.perf_counter`)."""

    @property
    def holds(self) -> bool:
        """True if bytes have been received that are not read yet."""
        return self._at < len(self._held)

    @property
    def is_idle(self) -> bool:
        """True if nothing is there to be read: a kept connection with something to read has been closed."""
        if self.holds or self._raw.fileno() < 0:
            return False
        poll = _poll()
        poll.register(self._raw.fileno(), 1)  # POLLIN
        return not poll.poll(0)

    def recv(self, size: int) -> bytes:
        """At most `size` bytes; empty when the other side has closed."""
        if self._at >= len(self._held):
            self._fill()
        found = self._held[self._at : self._at + size]
        self._at += len(found)
        return found

    def send(self, data: bytes) -> int:
        """How many bytes the kernel took; TimeoutError if none within `gettimeout()` seconds."""
        self._raw.settimeout(self._timeout)
        return self._raw.send(data)

    def sendall(self, data: bytes) -> None:
        """Send all of `data`; TimeoutError at `until`."""
        self._raw.settimeout(max(self.until - time.perf_counter(), SHORTEST_WAIT))
        self._raw.sendall(data)

    def gettimeout(self) -> float | None:
        """Send time-out in seconds."""
        return self._timeout

    def settimeout(self, seconds: float | None) -> None:
        """Set the send time-out in seconds."""
        self._timeout = seconds

    def fileno(self) -> int:
        """The file descriptor."""
        return self._raw.fileno()

    def shutdown(self, how: int) -> None:
        """End one direction, or both."""
        self._raw.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._raw.close()

    @property
    def _closed(self) -> bool:
        """Read by websocket-client before it closes a socket: without it, the socket stays open."""
        return self._raw.fileno() < 0

    def _fill(self) -> None:
        self._raw.settimeout(max(self.until - time.perf_counter(), SHORTEST_WAIT))
        self._held, self._at = self._raw.recv(BLOCK), 0


def open_connection(target: Target, timeout: float, *, receive_buffer: int = 0) -> Connection:
    """A new connection, good for `timeout` seconds. OSError; ssl.SSLError for a certificate of another site.

    `receive_buffer`: bytes that the kernel buffers for a slow reader; 0: the kernel's default.
    """
    until = time.perf_counter() + timeout
    family = socket.AF_INET6 if ":" in target.address[0] else socket.AF_INET
    raw: Any = socket.socket(family)
    try:
        if receive_buffer:
            # Before connecting: it sets the window that is announced.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(timeout)
        raw.connect(target.address)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target.secure:
            raw = _tls(target.ca_file).wrap_socket(raw, server_hostname=target.host_name)
    except BaseException:
        raw.close()
        raise
    connection = Connection(raw)
    connection.settimeout(timeout)
    connection.until = until
    return connection


@cache
def _tls(ca_file: str) -> ssl.SSLContext:
    """One context for all connections of a process: reading the CAs takes milliseconds.

    Not create_default_context: where locust has not patched ssl, its sockets would block all other users.
    """
    context = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file:
        context.load_verify_locations(ca_file)
    else:
        context.load_default_certs()
    return context


class _Answer(HTTPSocketPoolResponse):
    """geventhttpclient shows the sent request with an error; ours holds secrets, so it shows none."""

    _sent_request = ""


class HttpClient:
    """HTTP/1.1 to the target over kept connections; where browsers retry, it retries once and says so.

    geventhttpclient's own client cannot be used: it repeats a GET up to twice when the connection closes
    without an answer, on new connections too, and does not report it. A lost request must be visible.
    """

    def __init__(self, target: Target, timeout: float) -> None:
        self._target = target
        self._timeout = timeout
        self._idle: list[Connection] = []
        self._headers = {"Host": target.authority, **target.headers}  # names in the case of str.title()
        self.retried = False
        """True if the latest request was repeated on a new connection."""

    def request(
        self, method: str, path: str, body: Any = b"", headers: Mapping[str, str] | None = None
    ) -> HTTPSocketPoolResponse:
        """Send a request and read the head of the answer. OSError, `Closed`, HTTPParseError.

        A kept connection that the server closed before any byte of the answer is replaced once by a new one.
        """
        message = self._message(method, path, body, headers or {})
        until = time.perf_counter() + self._timeout
        self.retried = False
        while self._idle:
            kept = self._idle.pop()
            if not kept.is_idle:
                kept.close()
                continue
            try:
                return self._exchange(kept, method, message, until)
            except Closed as closed:
                if not closed.silent:
                    raise
            self.retried = True
            break
        fresh = open_connection(self._target, max(until - time.perf_counter(), SHORTEST_WAIT))
        return self._exchange(fresh, method, message, until)

    def return_socket(self, connection: Any) -> None:
        """Called by an answer that was read completely."""
        self._idle.append(connection)

    def release_socket(self, connection: Any) -> None:
        """Called by an answer after which the connection is of no more use."""
        connection.close()

    def close(self) -> None:
        """Close the kept connections."""
        while self._idle:
            self._idle.pop().close()

    def _message(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> bytes:
        sent = {**self._headers, **{name.title(): value for name, value in headers.items()}}
        payload = _bytes_of(body)
        if payload or method in {"POST", "PUT", "PATCH"}:
            sent["Content-Length"] = str(len(payload))
        lines = "".join([f"{name}: {value}\r\n" for name, value in sent.items()])
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + payload

    def _exchange(
        self, connection: Connection, method: str, message: bytes, until: float
    ) -> HTTPSocketPoolResponse:
        connection.until = until
        pool: Any = self
        raw: Any = connection
        try:
            connection.sendall(message)
            return _Answer(raw, pool, block_size=BLOCK, method=method)
        except TimeoutError:
            connection.close()
            raise
        except HTTPConnectionClosed as error:
            raise Closed(str(error), silent=True) from error
        except HTTPParseError as error:
            connection.close()
            raise Closed(str(error), silent=False) from error
        except OSError as error:
            connection.close()
            raise Closed(str(error), silent=True) from error


def _bytes_of(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        return body.read()
    return bytes(body or b"")


def open_websocket(
    target: Target, connection: Connection, path: str, cookies: str = ""
) -> websocket.WebSocket:
    """The WebSocket at `path` over `connection`; websocket.WebSocketException if the handshake is refused."""
    client = websocket.WebSocket(skip_utf8_validation=True)
    scheme = "wss" if target.secure else "ws"
    client.connect(
        f"{scheme}://{target.authority}{path}",
        socket=connection,
        host=target.authority,
        origin=target.url,
        header=target.headers,
        cookie=cookies or None,
        timeout=connection.gettimeout(),
        redirect_limit=0,  # a redirect would take the load key along
    )
    return client


def problem_of(error: BaseException) -> str:
    """What went wrong with a connection, without addresses, so that equal problems are counted together."""
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
