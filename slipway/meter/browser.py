"""A browser: kept connections, cookies, and one retry where real browsers retry."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractCookieJar

from slipway.meter.client import Clients, Closed, Reuse
from slipway.meter.tally import NOTHING, Outcome, Seen, Tally

_KINDS: list[tuple[tuple[type[Exception], ...], str]] = [
    ((aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError), "tls"),
    ((TimeoutError,), "timeout"),
    ((aiohttp.ClientConnectorError,), "connect"),
    ((aiohttp.ClientPayloadError,), "truncated"),
    ((aiohttp.ClientOSError, ConnectionError, Closed), "reset"),
]


class Browser:
    """Sends GET requests and tells how each ended; never raises for what a server does."""

    def __init__(self, clients: Clients, tally: Tally, jar: AbstractCookieJar) -> None:
        self._url = clients.target.url
        self._tally = tally
        self._kept = clients.client(jar=jar)
        self._fresh = clients.client(jar=jar, keep=False)

    async def get(self, path: str, intended: float) -> Outcome:
        """Ask for `path`, meant to start `intended` seconds after the start of the run."""
        reuse = Reuse()
        try:
            return await self._ask(self._kept, path, intended, reuse)
        except Closed as closed:
            if not (closed.silent and reuse.reused):
                return self._lost(path, intended, "reset", closed)
        try:
            return await self._ask(self._fresh, path, intended, Reuse(), retried=True)
        except Closed as closed:
            return self._lost(path, intended, "reset", closed)

    async def close(self) -> None:
        """Close the connections."""
        await self._kept.close()
        await self._fresh.close()

    async def _ask(
        self,
        client: aiohttp.ClientSession,
        path: str,
        intended: float,
        reuse: Reuse,
        *,
        retried: bool = False,
    ) -> Outcome:
        seen = NOTHING
        try:
            async with client.get(self._url + path, allow_redirects=False, trace_request_ctx=reuse) as answer:
                seen = seen_in(answer.headers)
                await answer.read()
        except Closed:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return self._lost(path, intended, kind_of(error), error, seen)
        lost = f"status {answer.status}" if answer.status >= 400 else None
        return Outcome(
            intended,
            path,
            self._since(intended),
            lost=lost,
            seen=seen,
            retried=retried and lost is None,
            answered=lost is not None and bool(seen.release),
        )

    def _lost(self, path: str, intended: float, kind: str, error: Exception, seen: Seen = NOTHING) -> Outcome:
        detail = f"{type(error).__name__}: {error}"[:200]
        return Outcome(intended, path, self._since(intended), lost=kind, detail=detail, seen=seen)

    def _since(self, intended: float) -> float:
        return (self._tally.now() - intended) * 1000


def seen_in(headers: Mapping[str, str]) -> Seen:
    """What the headers of an answer tell of the host and the release."""
    return Seen(headers.get("X-Served-By", ""), headers.get("X-Release", ""))


def kind_of(error: Exception) -> str:
    """The kind of loss that an error of a request or a handshake is."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"status {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError):
        return "refused"
    return next((kind for errors, kind in _KINDS if isinstance(error, errors)), "broken")
