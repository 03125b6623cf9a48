"""One client of the site: its own connections and cookies, and the truth about closed connections."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from socket import AddressFamily
from types import SimpleNamespace

import aiohttp
from aiohttp.abc import AbstractCookieJar, AbstractResolver, ResolveResult
from aiohttp.client_middlewares import ClientHandlerType
from yarl import URL

from slipway.settings.outputs import LOAD_HEADER, STICKY_COOKIE
from slipway.traffic.meter.tally import NOTHING, Outcome, Seen, Tally
from slipway.traffic.target import METER_AGENT, Target

TIMEOUT_SECONDS = 10.0


class Closed(aiohttp.ClientError):
    """The server closed the connection before it had answered. `silent`: before any byte of the answer."""

    def __init__(self, reason: str, *, silent: bool) -> None:
        super().__init__(reason)
        self.silent = silent


class Reuse:
    """Handed to a request to learn whether it travelled on a kept connection."""

    reused = False


class Clients:
    """Makes the clients of one target, which share the TLS settings. Use inside one event loop."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.tls = ssl.create_default_context(cafile=target.ca_file or None)

    def jar(self, number: int) -> aiohttp.CookieJar:
        """Cookies for client `number`, which is at home on one of the target's hosts."""
        jar = aiohttp.CookieJar(unsafe=True)
        homes = self.target.homes
        if homes:
            jar.update_cookies({STICKY_COOKIE: homes[number % len(homes)]}, URL(self.target.url))
        return jar

    def client(
        self,
        *,
        jar: AbstractCookieJar | None = None,
        keep: bool = True,
        on_headers: Callable[[Mapping[str, str]], None] | None = None,
    ) -> aiohttp.ClientSession:
        """A client with its own connections (kept alive unless `keep` is False) and cookies.

        `on_headers` is called with the headers of every answer, WebSocket handshakes included.
        """
        headers = {"User-Agent": METER_AGENT}
        if self.target.load_key:
            headers[LOAD_HEADER] = self.target.load_key
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self.tls,
                limit=0,  # an open model never waits for a free connection
                resolver=_Fixed(self.target.connect) if self.target.connect else None,
                force_close=not keep,
            ),
            cookie_jar=jar if jar is not None else aiohttp.CookieJar(unsafe=True),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            middlewares=[_tell_closed, _show_headers(on_headers)] if on_headers else [_tell_closed],
            trace_configs=[_watch_reuse()],
        )


class _Fixed(AbstractResolver):
    """Every name is at one address: `Outputs.connect`."""

    def __init__(self, connect: str) -> None:
        address, _, port = connect.rpartition(":")
        self._address, self._port = address.strip("[]"), int(port)

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        del port, family
        kind = AddressFamily.AF_INET6 if ":" in self._address else AddressFamily.AF_INET
        return [
            ResolveResult(hostname=host, host=self._address, port=self._port, family=kind, proto=0, flags=0)
        ]

    async def close(self) -> None:
        """Nothing to close."""


async def _tell_closed(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    """Stop aiohttp from asking again by itself, also on new connections: a lost request must be seen."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ServerDisconnectedError as error:
        raise Closed(str(error), silent=isinstance(error.message, str)) from error
    except (aiohttp.ClientOSError, ConnectionError) as error:
        raise Closed(str(error), silent=True) from error


def _show_headers(show: Callable[[Mapping[str, str]], None]) -> aiohttp.ClientMiddlewareType:
    async def middleware(
        request: aiohttp.ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        answer = await handler(request)
        show(answer.headers)
        return answer

    return middleware


def _watch_reuse() -> aiohttp.TraceConfig:
    async def reused(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
        del session, params
        told: object = getattr(context, "trace_request_ctx", None)
        if isinstance(told, Reuse):
            told.reused = True

    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(reused)
    return config


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
