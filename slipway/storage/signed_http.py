"""Signed HTTP requests to one AWS-style endpoint, over kept connections. Safe in several threads.

Used for S3 (storage/bucket.py) and for the AWS calls that open a connection to a host
(platforms/aws/tunnel.py), where importing botocore takes longer than the work itself. docs/ledger.md says why
it is not obstore.
"""

import hashlib
import http.client
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import BinaryIO, Protocol
from urllib.parse import quote, urlsplit

from hosts.agent.sigv4 import Credentials, Signed
from slipway.settings import SlipwayError

_RETRY_AFTER = (0.05, 0.3, 1.0)
"""Seconds before each further attempt."""
_RETRY_STATUS = {429, 500, 502, 503, 504}

Sink = Callable[[bytes], object]


class Unreachable(SlipwayError):
    """The endpoint gave no answer, or a transfer broke off."""


class Body(Protocol):
    """What can be sent more than once: it is opened again for every attempt."""

    size: int
    sha256: str

    def open(self) -> BinaryIO:
        """A stream of exactly `size` bytes."""
        ...


@dataclass(frozen=True)
class Answer:
    """A whole answer. `repeated`: an earlier attempt may have been carried out before its answer was lost."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    repeated: bool = False

    @property
    def code(self) -> str:
        """S3's error code, for example NoSuchKey; empty if there is none."""
        found = re.search(rb"<Code>([^<]*)</Code>", self.content)
        return found.group(1).decode() if found else ""

    @property
    def etag(self) -> str:
        """The entity tag in the form that conditional requests expect, quotes included."""
        return self.headers.get("etag", "")


class SignedHttp:
    """One endpoint, one service, one account. `connect`: where to connect instead (a tunnel's local end)."""

    def __init__(
        self,
        endpoint: str,
        service: str,
        region: str,
        credentials: Callable[[], Credentials],
        *,
        connect: tuple[str, int] | None = None,
        ca_file: str | None = None,
        timeout: float = 30,
    ) -> None:
        url = urlsplit(endpoint)
        tls = ssl.create_default_context(cafile=ca_file or None) if url.scheme == "https" else None
        server = url.hostname or ""
        address = connect or (server, url.port or (443 if tls else 80))
        self._connections = _Connections(server, address, tls, timeout)
        self._host, self._service, self._region, self._credentials = url.netloc, service, region, credentials
        self.endpoint = endpoint
        self.clock = ServerClock()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Body = b"",
        sink: Sink | None = None,
    ) -> Answer:
        """Send one signed request and return the answer, whatever its status.

        Lost connections and 5xx answers are retried. The content of a 2xx answer goes to `sink` in pieces if
        given; a transfer that breaks off after the first piece is not retried. Raises Unreachable.
        """
        repeated, reason = False, ""
        request = Signed(
            self._service, self._region, method, _encode(path, query), headers=dict(headers or {}),
            payload=_digest(body),
        )  # fmt: skip
        for pause in (*_RETRY_AFTER, None):
            try:
                answer = self._once(request, body, sink)
            except _BrokenOff as error:
                raise Unreachable(f"{self.endpoint}: the transfer of {path} broke off: {error}") from error
            except (OSError, http.client.HTTPException) as error:
                reason = f"{error}" or type(error).__name__
            else:
                skewed = answer.code == "RequestTimeTooSkewed"  # this answer has taught the clock its time
                if pause is None or not (skewed or answer.status in _RETRY_STATUS):
                    return replace(answer, repeated=repeated)
            if pause is not None:
                repeated = True
                time.sleep(pause)
        raise Unreachable(
            f"{self.endpoint} cannot be reached: {reason}", remedy="`slipway doctor` says which part is down"
        )

    def close(self) -> None:
        self._connections.close()

    def _once(self, request: Signed, body: bytes | Body, sink: Sink | None) -> Answer:
        headers = request.sign(self._credentials(), self._host, self.clock.now())
        if request.method in {"PUT", "POST"}:
            headers["content-length"] = str(len(body) if isinstance(body, bytes) else body.size)
        connection = self._connections.take()
        try:
            sent = steady()
            if isinstance(body, bytes):
                connection.request(request.method, request.path, body=body or None, headers=headers)
            else:
                with body.open() as stream:
                    connection.request(request.method, request.path, body=stream, headers=headers)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            self.clock.learn(found.get("date"), sent, steady())
            content = b""
            if sink and response.status < 300:
                _pour(response, sink)
            else:
                content = response.read()
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._connections.give_back(connection)
        return Answer(response.status, found, content)


class _Connections:
    """Kept connections to `address`, each lent to one thread at a time.

    TLS verifies the name `server`, also where `address` is the local end of a tunnel.
    """

    def __init__(
        self, server: str, address: tuple[str, int], tls: ssl.SSLContext | None, timeout: float
    ) -> None:
        self._server, self._address, self._tls, self._timeout = server, address, tls, timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def take(self) -> http.client.HTTPConnection:
        """An idle connection that the server has not closed, or a new one."""
        with self._lock:
            while self._idle:
                kept = self._idle.pop()
                if not _closed_by_peer(kept):
                    return kept
                kept.close()
        host, port = self._address
        made = http.client.HTTPConnection(host, port, timeout=self._timeout, blocksize=1 << 20)
        made.connect()
        made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            made.sock = self._tls.wrap_socket(made.sock, server_hostname=self._server)
        return made

    def give_back(self, connection: http.client.HTTPConnection) -> None:
        """Keep a connection whose answer has been read to its end."""
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()


def _closed_by_peer(connection: http.client.HTTPConnection) -> bool:
    """An idle connection is readable only if the server has closed it."""
    if connection.sock is None:
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _encode(path: str, query: Mapping[str, str] | None) -> str:
    """Path and query as S3 expects them on the wire and in the signature: encoded once, the query sorted."""
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in (query or {}).items())
    text = "&".join(f"{key}={value}" for key, value in pairs)
    return quote(path, safe="/-_.~") + (f"?{text}" if text else "")


def _digest(body: bytes | Body) -> str:
    return hashlib.sha256(body).hexdigest() if isinstance(body, bytes) else body.sha256


class _BrokenOff(Exception):
    """A download stopped half-way: the pieces already passed to the sink cannot be taken back."""


def _pour(response: http.client.HTTPResponse, sink: Sink) -> None:
    started = False
    while True:
        try:
            piece = response.read(1 << 20)
        except (OSError, http.client.HTTPException) as error:
            raise (_BrokenOff(str(error)) if started else error) from error
        if not piece:
            return
        started = True
        try:
            sink(piece)
        except OSError as error:
            raise _BrokenOff(str(error)) from error


# The bucket's clock, learned from the Date header of its answers.
#
# Leases are judged by this one clock, so that two operators with wrong clocks agree on what has expired.


_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Continues while a laptop sleeps, and does not jump when its clock is set."""


def steady() -> float:
    """Seconds on a local clock that is never adjusted."""
    return time.clock_gettime(_STEADY)


class ServerClock:
    """Server time as local steady time plus an offset whose bounds each answer narrows.

    A Date header has whole seconds, and some servers renew it only once a second: the server's time lay in
    [date, date + 2) at some instant between sending and receiving. So every answer bounds the offset from
    both sides, and the middle is less than a second off.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._low = self._high = time.time() - steady()

    def learn(self, date: str | None, sent: float, received: float) -> None:
        """Learn from one answer's Date header; `sent` and `received` are `steady()` seconds."""
        if not date:
            return
        try:
            stamp = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        low, high = stamp - received, stamp + 2 - sent
        with self._lock:
            if low < self._high and high > self._low and self._low != self._high:
                low, high = max(low, self._low), min(high, self._high)
            self._low, self._high = low, high

    def now(self) -> float:
        """The server's time in seconds since 1970; before the first answer, the local clock's."""
        with self._lock:
            return steady() + (self._low + self._high) / 2
