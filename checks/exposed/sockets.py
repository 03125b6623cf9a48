"""WebSockets of the app, and the trials that wait for the server to close one."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import websocket

from checks.kit.background import begun_early, idle
from checks.kit.check import could_not_be_tried, not_evaluated
from checks.kit.roots import Roots
from checks.kit.site import ANSWER_SECONDS, Site
from slipway.stack import CheckSocket, WebSocket
from slipway.traffic import fill_message

GRACE_SECONDS = 3.0
"""How much later than declared a server may close a socket."""
QUIET_SECONDS = 7.0
"""How long a socket is left alone to see whether a proxy cuts it."""


@dataclass(frozen=True)
class Closed:
    """How a socket ended."""

    after: float | None
    """Seconds from opening; None: it was still open at the end of the wait."""
    code: int = 0
    """WebSocket close code; 1006: without a close frame."""


def app_socket(site: Site) -> WebSocket:
    """`[websocket]` of slipway.toml."""
    if site.live.app.websocket is None:
        not_evaluated("the app declares no [websocket] in slipway.toml")
    return site.live.app.websocket


def signs_in_by_message(of_app: WebSocket) -> bool:
    """Whether the opening messages say who the user is, by what the smoke steps captured."""
    return any("${" in message for message in of_app.open)


def declared(site: Site) -> CheckSocket:
    """`[checks.websocket]` of slipway.toml."""
    app_socket(site)
    if site.live.app.checks.websocket is None:
        not_evaluated("declare [checks.websocket] in slipway.toml")
    return site.live.app.checks.websocket


@contextlib.contextmanager
def opened(
    site: Site, roots: Roots, headers: Mapping[str, str] | None = None
) -> Generator[websocket.WebSocket]:
    """A socket that has signed in by the messages of `websocket.open`, and received the answers.

    As the smoke user of the whole run: a small host takes seconds to hash a password once more.
    """
    of_app = app_socket(site)
    captures: Mapping[str, str] = {}
    if signs_in_by_message(of_app):
        captures = roots.person().session.captures
    client = site.socket() if headers is None else _counted(site, headers)
    try:
        for template in of_app.open:
            client.send(fill_message(template, captures))
            opcode, answer = _frame(client, control=False)
            assert opcode != websocket.ABNF.OPCODE_CLOSE, (
                f"the app answered an opening message by closing the socket with {_close_code(answer)}"
            )
        yield client
    finally:
        client.close()


def _counted(site: Site, headers: Mapping[str, str]) -> websocket.WebSocket:
    """A socket that the per-address limits count. Others behind this address may have spent its budget."""
    ends = time.monotonic() + site.patience
    while True:
        try:
            return site.socket(headers=dict(headers))
        except websocket.WebSocketBadStatusException as refused:
            if refused.status_code != 429:
                raise
        if time.monotonic() > ends:
            could_not_be_tried(
                "the site refuses this machine's address with 429: it is over its limit from other requests;"
                " run it again in a minute"
            )
        time.sleep(1)


def echo(site: Site, client: websocket.WebSocket, number: int = 7) -> str:
    """The answer to one echo message."""
    client.send(fill_message(app_socket(site).echo, {"n": str(number)}))
    return heard(client, str(number))


def heard(client: websocket.WebSocket, text: str, seconds: float = ANSWER_SECONDS) -> str:
    """The first message that contains `text`. Raises AssertionError if none arrives in time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        client.settimeout(left)
        try:
            message = client.recv()
        except (websocket.WebSocketTimeoutException, websocket.WebSocketConnectionClosedException):
            break
        if text in str(message):
            return str(message)
    raise AssertionError(f"no message with {text!r} within {seconds:g} s")


def watch_close(client: websocket.WebSocket, began: float, at_most: float) -> Closed:
    """Wait for the server to close, without sending anything."""
    while (left := began + at_most - time.monotonic()) > 0:
        client.settimeout(left)
        try:
            opcode, data = _frame(client, control=True)
        except websocket.WebSocketTimeoutException:
            break
        except (websocket.WebSocketConnectionClosedException, OSError):
            return Closed(time.monotonic() - began, 1006)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return Closed(time.monotonic() - began, _close_code(data))
    return Closed(None)


def _close_code(frame: bytes) -> int:
    """The code in a close frame; 1005: it has none (RFC 6455, 7.4.1)."""
    return int.from_bytes(frame[:2], "big") or 1005


def _frame(client: websocket.WebSocket, *, control: bool) -> tuple[int, bytes]:
    """Opcode and content of the next frame that is data, a close frame, or with `control` a ping or pong."""
    opcode, frame = cast("tuple[int, Any]", cast("Any", client).recv_data_frame(control_frame=control))
    return opcode, frame.data if frame else b""


@begun_early
@idle
def socket_without_sign_in(site: Site) -> Closed:
    """A socket that never signs in."""
    seconds = (site.live.number(declared(site).auth_ms) or 0) / 1000
    if seconds > site.patience:
        return Closed(None)
    client = site.socket()
    try:
        return watch_close(client, time.monotonic(), seconds + GRACE_SECONDS)
    finally:
        client.shutdown()


@begun_early
@idle
def silent_socket(site: Site, roots: Roots) -> Closed:
    """A socket that signs in and then sends nothing."""
    seconds = (site.live.number(declared(site).idle_ms) or 0) / 1000
    if seconds > site.patience:
        return Closed(None)
    with opened(site, roots) as client:
        return watch_close(client, time.monotonic(), seconds + GRACE_SECONDS)


@begun_early
@idle
def quiet_socket(site: Site, roots: Roots) -> Closed:
    """How a socket ended on which nothing was sent for QUIET_SECONDS. One that is still open has echoed."""
    with opened(site, roots) as client:
        closed = watch_close(client, time.monotonic(), QUIET_SECONDS)
        if closed.after is None:
            echo(site, client)
        return closed


def parsed(message: str) -> dict[str, object]:
    """A message as a JSON object. Raises AssertionError if it is none."""
    try:
        found: object = json.loads(message)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise AssertionError(f"it is no JSON object: {message[:80]!r}")
    return found  # pyright: ignore[reportUnknownVariableType]
