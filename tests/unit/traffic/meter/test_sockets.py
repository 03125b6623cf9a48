"""Every way a WebSocket can end, and which of them a user would call a fault."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from aiohttp import web

import slipway.traffic.meter.clients
from slipway.settings import BadInput, SlipwayError, Step, WebSocket
from slipway.traffic.meter import Report, measure
from slipway.traffic.meter.report import Second
from slipway.traffic.target import Target
from tests.unit.traffic.meter.site import Site, Talk, echo_forever, fine, serving, target_at

ECHO = '{"type":"ECHO","n":${n}}'


def measured(talk: Talk, *, seconds: float = 2, sockets: int = 3) -> Report:
    with serving(talk=talk) as site:
        return measure(target_at(site.url, websocket=WebSocket(echo=ECHO)), 0, sockets, seconds)


def kinds(report: Report) -> set[str]:
    return {loss.kind for loss in report.losses}


def test_sockets_that_echo_pass_and_are_counted() -> None:
    sockets, stop = 3, threading.Event()
    full: list[int] = []

    def after_three_full_seconds(second: Second) -> None:
        if second.sockets.open == sockets:
            full.append(second.second)
        if len(full) == 3:
            stop.set()

    with serving() as site:
        target = target_at(site.url, websocket=WebSocket(echo=ECHO))
        report = measure(target, 0, sockets, 60, on_second=after_three_full_seconds, stop=stop)
    assert report.passed, report
    assert report.sockets.opened == report.sockets.open == sockets
    # One echo a second and socket; a busy machine opens sockets late and so sends fewer.
    open_seconds = sum(each.sockets.open for each in report.per_second)
    assert abs(report.sockets.echoes - open_seconds) <= sockets
    assert max(each.sockets.open for each in report.per_second) == sockets
    assert report.echo_ms.p95 is not None


async def live_after_two_seconds(request: web.Request) -> web.StreamResponse:
    """A WebSocket at /live whose handshake takes two seconds."""
    if request.path != "/live":
        return await fine(request)
    await asyncio.sleep(2)
    socket = web.WebSocketResponse(timeout=0.2)
    await socket.prepare(request)
    await echo_forever(request, socket)
    return socket


def test_a_socket_that_opens_after_the_end_of_the_run_still_echoes_and_the_report_says_so() -> None:
    with serving(live_after_two_seconds) as site:
        report = measure(target_at(site.url, websocket=WebSocket(path="/live", echo=ECHO)), 0, 2, 1)
    assert report.passed, report
    assert (report.sockets.opened, report.sockets.open, report.sockets.echoes) == (2, 0, 2)
    assert any(
        note.startswith("2 of 2 sockets opened only after the end of the run") for note in report.notes
    )


def test_an_echo_that_was_never_sent_is_not_called_unanswered() -> None:
    with serving() as site:
        report = measure(target_at(site.url, websocket=WebSocket(path="/missing", echo=ECHO)), 0, 1, 1)
    assert kinds(report) == {"open: status 200"}
    assert "no echo was sent" in report.failures


def test_sockets_whose_turn_to_open_did_not_come_are_named() -> None:
    with serving() as site:
        report = measure(target_at(site.url, websocket=WebSocket(echo=ECHO)), 0, 150, 1)
    left = 150 - report.sockets.opened
    assert report.passed, report
    assert left >= 40
    assert f"{left} of 150 sockets were not opened: the run ended before their turn came" in report.notes


def test_a_socket_cut_without_a_close_frame_is_abnormal_with_host_and_release() -> None:
    async def cut(request: web.Request, socket: web.WebSocketResponse) -> None:
        await socket.receive()
        assert request.transport is not None
        request.transport.abort()

    report = measured(cut)
    assert kinds(report) == {"no close frame"}
    assert (report.losses[0].host, report.losses[0].release) == ("web1", "b1")
    assert report.sockets.abnormal >= 3
    assert report.exit_code == 1


def test_a_clean_tcp_close_without_a_close_frame_is_abnormal_too() -> None:
    async def hang_up(request: web.Request, socket: web.WebSocketResponse) -> None:
        await socket.receive()
        assert request.transport is not None
        request.transport.close()

    assert kinds(measured(hang_up)) == {"no close frame"}


@pytest.mark.parametrize(
    ("notice", "code", "kind"),
    [
        ("SERVER_SHUTDOWN", 1011, "code 1011"),
        ("", 1001, "code 1001 without notice"),
        ("SERVER_SHUTDOWN", 4000, "code 4000"),
    ],
)
def test_a_wrong_code_or_a_code_without_notice_is_abnormal(notice: str, code: int, kind: str) -> None:
    async def close(request: web.Request, socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str(notice)
        await socket.close(code=code)

    assert kinds(measured(close)) == {kind}


def test_notice_then_an_orderly_code_is_a_reconnect_and_no_fault() -> None:
    site: Site

    async def drain_first(request: web.Request, socket: web.WebSocketResponse) -> None:
        if len(site.requests) > 3:
            return await echo_forever(request, socket)
        message = await socket.receive()
        await socket.send_str(message.data)
        await socket.send_str(json.dumps({"type": "SERVER_SHUTDOWN"}))
        await asyncio.sleep(0.2)
        await socket.close(code=1012)
        return None

    with serving(talk=drain_first) as site:
        report = measure(target_at(site.url, websocket=WebSocket(echo=ECHO)), 0, 3, 2)
    assert report.passed, report
    assert (report.sockets.opened, report.sockets.reconnected, report.sockets.abnormal) == (3, 3, 0)
    assert report.sockets.open == 3


@pytest.mark.parametrize("wrong", [None, "100", '{"n":1}'])
def test_an_echo_without_its_number_is_unanswered(wrong: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slipway.traffic.meter.clients, "ECHO_SECONDS", 0.8)

    async def other(request: web.Request, socket: web.WebSocketResponse) -> None:
        async for _ in socket:
            if wrong is not None:
                await socket.send_str(wrong)

    report = measured(other, seconds=3, sockets=2)
    assert kinds(report) == {"echo unanswered"}
    assert "no echo was answered" in report.failures


def test_a_refused_handshake_is_abnormal_and_tried_again() -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503) if request.path == "/live" else await fine(request)

    with serving(refuse) as site:
        report = measure(target_at(site.url, websocket=WebSocket(path="/live", echo=ECHO)), 0, 1, 2)
        asked = len(site.requests)
    assert kinds(report) == {"open: status 503"}
    assert asked >= 2


def sign_in_target(site: Site) -> Target:
    step = Step.model_validate(
        {
            "name": "sign in",
            "request": "POST /sign-in",
            "json": {"password": "${PASSWORD}"},
            "capture": {"token": "session.token"},
        }
    )
    socket = WebSocket(open=['{"type":"AUTH","token":"${token}"}'], echo=ECHO)
    return target_at(site.url, websocket=socket, steps=[step], values={"PASSWORD": "hunter22"})


def test_a_socket_signs_in_with_the_captured_token_before_it_echoes() -> None:
    heard: list[str] = []

    async def sign_in(request: web.Request) -> web.StreamResponse:
        assert await request.json() == {"password": "hunter22"}
        return web.json_response({"session": {"token": 'a"b'}})

    async def talk(request: web.Request, socket: web.WebSocketResponse) -> None:
        heard.append(await socket.receive_str())
        await asyncio.sleep(0.2)
        await socket.send_str("welcome")
        await echo_forever(request, socket)

    with serving(sign_in, talk) as site:
        report = measure(sign_in_target(site), 0, 2, 2)
    assert report.passed, report
    assert json.loads(heard[0]) == {"type": "AUTH", "token": 'a"b'}


def test_a_failed_sign_in_names_the_step_and_no_secret() -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "hunter22"}, status=401)

    with serving(refuse) as site, pytest.raises(SlipwayError) as failure:
        measure(sign_in_target(site), 0, 2, 2)
    assert failure.value.message == "sign-in step 'sign in': expected 200, got 401"
    assert "hunter22" not in repr(sign_in_target(site))


def test_a_message_with_an_unknown_name_is_bad_input() -> None:
    with serving() as site, pytest.raises(BadInput, match=r"\$\{token\} has no value"):
        measure(target_at(site.url, websocket=WebSocket(open=["${token}"], echo=ECHO)), 0, 1, 1)
