"""A browser: kept connections, cookies, and one retry where real browsers retry."""

# geventhttpclient is partly untyped.
# pyright: reportUnknownMemberType=false

import ssl

import websocket
from geventhttpclient.response import HTTPParseError

from slipway.traffic.connection import HttpClient
from slipway.traffic.meter.tally import NOTHING, Outcome, Seen, Tally
from slipway.traffic.target import STICKY_COOKIE, Target

TIMEOUT_SECONDS = 10.0
WITHOUT_COOKIES_EVERY = 5
"""Every fifth browser keeps no cookies, so that both kinds of stickiness are used."""


class Browser:
    """Sends GET requests and reports how each ended; raises nothing for what a server does."""

    def __init__(self, number: int, target: Target, tally: Tally) -> None:
        self._tally = tally
        self._client = HttpClient(target, TIMEOUT_SECONDS)
        self._keeps_cookies = number % WITHOUT_COOKIES_EVERY != WITHOUT_COOKIES_EVERY - 1
        home = target.home(number)
        self._cookies = {STICKY_COOKIE: home} if home and self._keeps_cookies else {}

    def get(self, path: str, intended: float) -> Outcome:
        """Request `path`, which is due `intended` seconds after the start of the run."""
        seen = NOTHING
        headers = (
            {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
            if self._cookies
            else {}
        )
        retried = False
        try:
            answer = self._client.request("GET", path, headers=headers)
            retried = self._client.retried
        except (OSError, HTTPParseError) as error:
            return self._lost(path, intended, kind_of(error), error, seen)
        seen = Seen(str(answer.get("X-Served-By", "")), str(answer.get("X-Release", "")))
        try:
            answer.read()
        except (OSError, HTTPParseError) as error:
            kind = "timeout" if isinstance(error, TimeoutError) else "truncated"
            return self._lost(path, intended, kind, error, seen)
        status = answer.get_code()
        if self._keeps_cookies and (cookies := answer.get("set-cookie")):
            self._keep(cookies)
        return Outcome(
            intended,
            path,
            self._since(intended),
            lost=f"status {status}" if status >= 400 else None,
            seen=seen,
            retried=retried and status < 400,
            answered=status >= 400 and bool(seen.release),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _keep(self, cookies: str | list[str]) -> None:
        for cookie in [cookies] if isinstance(cookies, str) else cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name.strip()] = value.strip()

    def _lost(self, path: str, intended: float, kind: str, error: Exception, seen: Seen) -> Outcome:
        detail = f"{type(error).__name__}: {error}"[:200]
        return Outcome(intended, path, self._since(intended), lost=kind, detail=detail, seen=seen)

    def _since(self, intended: float) -> float:
        return (self._tally.now() - intended) * 1000


_KINDS: list[tuple[tuple[type[Exception], ...], str]] = [
    ((TimeoutError, websocket.WebSocketTimeoutException), "timeout"),
    ((ssl.SSLError,), "tls"),
    ((ConnectionRefusedError,), "refused"),
    ((ConnectionError, websocket.WebSocketConnectionClosedException), "reset"),
    ((OSError,), "connect"),
]


def kind_of(error: Exception) -> str:
    """The kind of loss that an error of a request or a handshake is."""
    if isinstance(error, websocket.WebSocketBadStatusException):
        return f"status {error.status_code}"
    return next((kind for errors, kind in _KINDS if isinstance(error, errors)), "broken")
