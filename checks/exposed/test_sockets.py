"""WebSockets: origin, sign-in, limits, time-outs (X12, X7)."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack

import pytest
import websocket

from checks.exposed.sockets import (
    GRACE_SECONDS,
    QUIET_SECONDS,
    Closed,
    app_socket,
    declared,
    echo,
    heard,
    opened,
    quiet_socket,
    signs_in_by_message,
    silent_socket,
    socket_without_sign_in,
    watch_close,
)
from checks.kit.background import Background
from checks.kit.check import check, not_evaluated
from checks.kit.roots import Roots
from checks.kit.site import Site


@check(
    "X12",
    "I2",
    severity="critical",
    asvs="4.4.1",
    why="without WebSockets the app gets no live updates",
    remedy="does the load balancer let Upgrade through, and is websocket.path right?",
    needs=("websocket.echo",),
)
def test_a_socket_opens_and_echoes(site: Site, roots: Roots) -> None:
    if not app_socket(site).echo:
        not_evaluated("declare websocket.echo in slipway.toml")
    with opened(site, roots) as client:
        assert echo(site, client)


@check(
    "X12",
    severity="high",
    asvs="4.4.2",
    why="another site's page could open a socket with the user's cookies",
    remedy="compare Origin with a list before upgrading",
    needs=("websocket",),
)
def test_a_socket_from_a_foreign_origin_is_refused(site: Site) -> None:
    app_socket(site)
    for origin in ("https://evil.example", "null", f"https://{site.live.host_name}.evil.example"):
        assert _handshake(site, origin) in (401, 403), (
            f"Origin {origin} is answered with {_handshake(site, origin)}"
        )


@check(
    "X12",
    severity="high",
    asvs="4.4.3",
    why="sockets that never sign in cost memory, and may receive messages",
    remedy="close with 4401 or 1008 when the client does not sign in within the time-out",
    waits_for=(socket_without_sign_in,),
    needs=("websocket", "checks.websocket.auth_ms"),
)
def test_a_socket_that_does_not_sign_in_is_closed(site: Site, background: Background) -> None:
    seconds = _seconds(site, declared(site).auth_ms, "auth_ms")
    closed = background.result(socket_without_sign_in)
    assert closed.after is not None, (
        f"it was still open {seconds + GRACE_SECONDS:g} s later; {seconds:g} s are declared"
    )
    assert closed.code != 1006, "it was cut without a close frame"


@check(
    "X12",
    severity="medium",
    asvs="7.3.1",
    why="idle sockets pile up until no new one can be opened",
    remedy="close sockets that send nothing for checks.websocket.idle_ms",
    waits_for=(silent_socket,),
    needs=("websocket", "checks.websocket.idle_ms"),
)
def test_a_silent_socket_is_closed(site: Site, background: Background) -> None:
    seconds = _seconds(site, declared(site).idle_ms, "idle_ms")
    closed = background.result(silent_socket)
    assert closed.after is not None, (
        f"it was still open {seconds + GRACE_SECONDS:g} s later; {seconds:g} s are declared"
    )
    assert closed.code in (1000, 1001, 4408), f"it was closed with {closed.code}"


@check(
    "X12",
    "I2",
    severity="high",
    why="a proxy that cuts quiet connections makes every client connect again and again",
    remedy="haproxy.cfg: timeout tunnel; what else is between the client and the app?",
    waits_for=(quiet_socket,),
    needs=("websocket.echo",),
)
def test_a_quiet_socket_stays_open(site: Site, background: Background) -> None:
    if not app_socket(site).echo:
        not_evaluated("declare websocket.echo in slipway.toml")
    of_checks = site.live.app.checks.websocket
    own = (site.live.number(of_checks.idle_ms if of_checks else None) or 3_600_000) / 1000
    if min(own, app_socket(site).idle_seconds) < QUIET_SECONDS + GRACE_SECONDS:
        not_evaluated(f"the app itself closes a silent socket within {QUIET_SECONDS + GRACE_SECONDS:g} s")
    if site.patience < QUIET_SECONDS:
        not_evaluated(f"it would take {QUIET_SECONDS:g} s: --patience {QUIET_SECONDS + 10:g}")
    closed = background.result(quiet_socket)
    assert closed.after is None, (
        f"it was closed with {closed.code} after {closed.after:.1f} s without a message"
    )


@check(
    "X12",
    severity="high",
    asvs="4.4.4",
    why="a socket that accepts any token gives access to all messages",
    remedy="verify the token of the first message, and close otherwise",
    needs=("websocket.open",),
)
def test_a_wrong_token_does_not_sign_in(site: Site) -> None:
    of_app = app_socket(site)
    if not signs_in_by_message(of_app):
        not_evaluated("the app's sockets sign in by no message: websocket.open holds no ${…} of a smoke step")
    client = site.socket()
    try:
        for message in of_app.open:
            client.send(re.sub(r"\$\{\w+\}", "wrong.wrong.wrong", message))
        began = time.monotonic()
        closed = watch_close(client, began, 2.0)
        if closed.after is None and of_app.echo:
            client.settimeout(2.0)
            client.send(of_app.echo.replace("${n}", "41"))
            try:
                heard(client, "41", seconds=1.0)
            except (AssertionError, OSError, websocket.WebSocketException):
                return
            pytest.fail("a socket that signed in with a wrong token is served")
    finally:
        client.shutdown()


@check(
    "X12",
    severity="high",
    standard="Autobahn 9",
    why="a single large message could exhaust the memory of the process",
    remedy="websocket.payload_bytes, and the server's own maximum",
    needs=("websocket", "checks.websocket"),
)
def test_a_message_over_the_limit_closes_the_socket(site: Site, roots: Roots) -> None:
    most = site.live.number(declared(site).payload_bytes) or app_socket(site).payload_bytes
    with opened(site, roots) as client:
        began = time.monotonic()
        try:
            client.send("x" * (most + 1))
            closed = watch_close(client, began, 5.0)
        except (OSError, websocket.WebSocketConnectionClosedException):
            closed = Closed(time.monotonic() - began, 1006)
    assert closed.after is not None, f"a message of {most + 1} bytes is taken"
    assert closed.code in (1006, 1009), f"the socket is closed with {closed.code}, not 1009"


@check(
    "X12",
    severity="medium",
    asvs="2.2.1",
    why="unvalidated messages reach the app's logic",
    remedy="validate every message against its schema, and answer with an error",
    needs=("websocket", "checks.websocket.invalid"),
)
def test_a_message_that_fits_no_schema_is_refused(site: Site, roots: Roots) -> None:
    of_checks = declared(site)
    if not of_checks.invalid:
        not_evaluated("declare checks.websocket.invalid in slipway.toml")
    with opened(site, roots) as client:
        for message in (of_checks.invalid, "not json at all", '{"type":"NO_SUCH_TYPE"}'):
            client.send(message)
            assert heard(client, of_checks.refused), message
        if app_socket(site).echo:
            assert echo(site, client), "the socket serves no more"


@check(
    "X7",
    "X12",
    severity="high",
    asvs="2.4.1",
    why="one socket can keep a process busy at the expense of all others",
    remedy="count messages by user, and answer RESOURCE_EXHAUSTED with retryAfterMs",
    spends="some",
    needs=("websocket.echo", "checks.websocket.messages_per_minute"),
)
def test_too_many_messages_are_refused(site: Site, roots: Roots) -> None:
    of_checks = declared(site)
    most = site.live.number(of_checks.messages_per_minute)
    if most is None or not app_socket(site).echo:
        not_evaluated("declare checks.websocket.messages_per_minute and websocket.echo in slipway.toml")
    with opened(site, roots, headers={}) as client:
        for number in range(most + 5):
            client.send(app_socket(site).echo.replace("${n}", str(number)))
        refusal = heard(client, of_checks.limited)
    assert of_checks.retry in refusal, f"the refusal has no {of_checks.retry}: {refusal[:120]}"


@check(
    "X7",
    "X12",
    severity="high",
    asvs="2.4.1",
    why="a single address could use up all connections",
    remedy="refuse the upgrade with 429 beyond the limit of connections per address",
    spends="some",
    needs=("websocket", "checks.websocket.connections_per_ip"),
)
def test_too_many_sockets_of_one_address_are_refused(site: Site) -> None:
    most = site.live.number(declared(site).connections_per_ip)
    if most is None:
        not_evaluated("declare checks.websocket.connections_per_ip in slipway.toml")
    # The limit is counted where the socket ends: each web host counts its own.
    at_most = most * max(1, len(site.live.outputs.by_role("web")))
    with ExitStack() as stack:
        for number in range(at_most + 1):
            try:
                client = site.socket(headers={"X-Forwarded-For": f"198.51.100.{number}"})
            except websocket.WebSocketBadStatusException as refused:
                assert refused.status_code == 429, (
                    f"socket {number + 1} is answered with {refused.status_code}"
                )
                return
            stack.callback(client.shutdown)
    raise AssertionError(f"{at_most + 1} sockets of one address are open at once")


@check(
    "X12",
    severity="low",
    why="a plain request to the WebSocket path must not hang",
    remedy="answer 426 to a request without Upgrade",
    needs=("websocket",),
)
def test_the_sockets_path_refuses_plain_requests(site: Site) -> None:
    status = site.get(app_socket(site).path).status_code
    assert 400 <= status < 500, f"GET {app_socket(site).path} without Upgrade answers {status}"


def _handshake(site: Site, origin: str) -> int:
    try:
        client = site.socket(origin=origin)
    except websocket.WebSocketBadStatusException as refused:
        return refused.status_code
    client.shutdown()
    return 101


def _seconds(site: Site, given: int | str | None, key: str) -> float:
    number = site.live.number(given)
    if number is None:
        not_evaluated(f"declare checks.websocket.{key} in slipway.toml")
    if number / 1000 > site.patience:
        not_evaluated(f"it would take {number / 1000:g} s: --patience {number // 1000 + 10}")
    return number / 1000
