"""Signed HTTP requests to one S3 endpoint, tried again when they are lost; safe in several threads."""

from __future__ import annotations

import hashlib
import http.client
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from slipway.settings.errors import SlipwayError
from slipway.storage.clock import ServerClock, steady
from slipway.storage.connections import Connections
from slipway.storage.sigv4 import EMPTY_SHA256, Credentials, Request, encode_path, encode_query, sign

_RETRY_AFTER = (0.05, 0.3, 1.0)
"""Seconds before each further attempt."""
_RETRY_STATUS = {429, 500, 502, 503, 504}

Sink = Callable[[bytes], object]


class BucketError(SlipwayError):
    """The bucket could not be reached or refused the request."""


class Body(Protocol):
    """What can be sent more than once: it is opened anew for every attempt."""

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
        """S3's error code, for example NoSuchKey; empty when there is none."""
        found = re.search(rb"<Code>([^<]*)</Code>", self.content)
        return found.group(1).decode() if found else ""

    @property
    def etag(self) -> str:
        """The entity tag as conditional requests want it back, quotes included."""
        return self.headers.get("etag", "")


class Transport:
    """One endpoint and account. `connect` is where the endpoint is really reached (a tunnel's local end)."""

    def __init__(
        self,
        endpoint: str,
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
        self._connections = Connections(server, address, tls, timeout)
        self._host, self._region, self._credentials = url.netloc, region, credentials
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

        Lost connections and 5xx answers are tried again. A 2xx content goes to `sink` in pieces if one is
        given; a transfer that breaks off after the first piece is not tried again. BucketError: unreachable.
        """
        digest, _ = _measure(body)
        request = Request(
            method, self._host, encode_path(path), encode_query(query or {}), headers or {}, digest
        )
        repeated, reason = False, ""
        for pause in (*_RETRY_AFTER, None):
            try:
                answer = self._once(request, body, sink)
            except _BrokenOff as error:
                raise BucketError(f"{self.endpoint}: the transfer of {path} broke off: {error}") from error
            except (OSError, http.client.HTTPException) as error:
                reason = f"{error}" or type(error).__name__
            else:
                skewed = answer.code == "RequestTimeTooSkewed"  # by now the clock knows the server's time
                if pause is None or not (skewed or answer.status in _RETRY_STATUS):
                    return replace(answer, repeated=repeated)
            if pause is not None:
                repeated = True
                time.sleep(pause)
        raise BucketError(
            f"{self.endpoint} cannot be reached: {reason}", remedy="`slipway doctor` says which part is down"
        )

    def _once(self, request: Request, body: bytes | Body, sink: Sink | None) -> Answer:
        headers = sign(self._credentials(), self._region, request, self.clock.now())
        headers["Host"] = self._host
        if request.method in {"PUT", "POST"}:
            headers["Content-Length"] = str(_measure(body)[1])
        target = f"{request.path}?{request.query}" if request.query else request.path
        connection = self._connections.take()
        try:
            sent = steady()
            if isinstance(body, bytes):
                connection.request(request.method, target, body=body or None, headers=headers)
            else:
                with body.open() as stream:
                    connection.request(request.method, target, body=stream, headers=headers)
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

    def close(self) -> None:
        """Close the kept connections."""
        self._connections.close()


def _measure(body: bytes | Body) -> tuple[str, int]:
    if not isinstance(body, bytes):
        return body.sha256, body.size
    return (hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256), len(body)


class _BrokenOff(Exception):
    """A download stopped half-way: what was handed on cannot be taken back."""


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
