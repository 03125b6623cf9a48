"""The meter's clients: a browser that retries as real browsers do, and a WebSocket that echoes."""

# geventhttpclient is partly untyped.
# pyright: reportUnknownMemberType=false

import ssl
import time
from collections.abc import Mapping
from math import inf

import websocket
from geventhttpclient.response import HTTPParseError

from slipway.settings import SlipwayError
from slipway.traffic.arrivals import sleep_until
from slipway.traffic.connection import HttpClient, open_connection, open_websocket
from slipway.traffic.conversation import ConnectionEnded, Conversation
from slipway.traffic.meter.tally import NOTHING, Outcome, Seen, Tally
from slipway.traffic.sign_in import Identity, fill_message
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
            detail=NOT_FOUND if status == 404 else "",
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


NOT_FOUND = "answered 404: set load.paths in slipway.toml"
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


ECHO_SECONDS = 5.0
"""An echo that has no answer by then is unanswered."""
PAUSE_SECONDS = 1.0
FIRST_NUMBER = 100_000_000
NUMBERS_EACH = 10_000


class Abnormal(Exception):
    """A connection ended as none should. `kind` as in the report's losses."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind, self.detail = kind, detail


class Socket:
    """Opens, signs in, echoes every second and stays connected; has its own connection and cookies."""

    def __init__(self, number: int, target: Target, identity: Identity, tally: Tally, seconds: float) -> None:
        """`seconds`: how long the run takes."""
        settings = target.app.websocket
        assert settings is not None
        self._number, self._target, self._identity, self._tally = number, target, identity, tally
        self._settings = settings
        home = target.home(number)
        self._cookies = f"{STICKY_COOKIE}={home}" if home else ""
        self._seen = NOTHING
        self._next_echo = FIRST_NUMBER + number * NUMBERS_EACH
        self._seconds = seconds
        self._stopping = False
        self.tried = False
        """True once it has begun to connect."""

    def stop(self) -> None:
        """Let `run` return once the echoes under way are answered."""
        self._stopping = True

    def run(self) -> None:
        """Stay connected until stopped, and count how every connection ended."""
        again = False
        while not self._over:
            self.tried = True
            try:
                self._connection(again=again)
                again = True
            except Abnormal as end:
                again = False
                self._tally.abnormal(self._number, end.kind, self._seen, end.detail)
                sleep_until(time.perf_counter() + PAUSE_SECONDS, lambda: self._over)

    @property
    def _over(self) -> bool:
        """True once the run has ended, on time or early."""
        return self._stopping or self._tally.now() >= self._seconds

    def _connection(self, *, again: bool) -> None:
        """One connection, from the handshake to an end in order. Raises Abnormal for any other end."""
        self._seen = NOTHING
        try:
            captures = self._identity.session().captures
        except SlipwayError as error:
            raise Abnormal("sign-in", error.message) from error
        conversation = self._open(captures)
        try:
            messages = [fill_message(message, captures) for message in self._settings.open]
            try:
                conversation.greet(messages, TIMEOUT_SECONDS)
            except ConnectionEnded as ended:
                self._judge(ended, conversation)
                sleep_until(time.perf_counter() + 0.1)
                return
            self._tally.opened(again=again, after_end=self._over)
            try:
                self._echo(conversation)
            except ConnectionEnded as ended:
                self._judge(ended, conversation)
            finally:
                if not self._over:
                    self._tally.closed()
        finally:
            self._tally.echoes_sent += conversation.next_number - self._next_echo
            self._next_echo = conversation.next_number
            conversation.close()

    def _open(self, captures: Mapping[str, str]) -> Conversation:
        try:
            connection = open_connection(self._target, TIMEOUT_SECONDS)
            socket = open_websocket(self._target, connection, self._settings.path, self._cookies)
        except (OSError, websocket.WebSocketException) as error:
            self._note(getattr(error, "resp_headers", None))
            raise Abnormal(f"open: {kind_of(error)}", str(error)[:200]) from error
        self._note(socket.getheaders())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - untyped
        return Conversation(
            socket,
            connection,
            self._settings,
            captures,
            report=self._report,
            patience=ECHO_SECONDS,
            first_number=self._next_echo,
            until=(self._tally.zero + self._seconds, inf),
        )

    def _echo(self, conversation: Conversation) -> None:
        """Send echoes until stopped; at least one, even on a connection that opened after the run's end."""
        try:
            for number, _ in enumerate(conversation.every(1.0, at_once=True)):
                if number and self._stopping:
                    break
                conversation.echo()
        except ConnectionEnded as ended:
            if ended.again:
                raise
        conversation.settle(time.perf_counter() + ECHO_SECONDS + 0.1)

    def _judge(self, ended: ConnectionEnded, conversation: Conversation) -> None:
        """An end in order is a notice, then one of the declared close codes."""
        if ended.code is None:
            raise Abnormal(ended.kind, ended.error or "")
        if ended.code not in self._settings.close_codes:
            raise Abnormal(f"code {ended.code}", ended.reason[:200])
        if self._settings.notice and not conversation.noticed:
            raise Abnormal(f"code {ended.code} without notice")
        self._tally.cut(len(conversation.waiting))

    def _report(self, kind: str, ms: float, error: str | None, size: int) -> None:
        del kind, size
        if error is None and ms > ECHO_SECONDS * 1000:
            raise Abnormal("echo unanswered", f"answered after {ms:.0f} ms")
        if error is None:
            self._tally.echoed(ms)

    def _note(self, headers: Mapping[str, str] | None) -> None:
        found = headers or {}
        self._seen = Seen(found.get("x-served-by", ""), found.get("x-release", ""))
