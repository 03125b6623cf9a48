"""Every way to lose a request is seen, named and dated; nothing else is called a loss."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections import Counter
from pathlib import Path

import pytest
import trustme
from aiohttp import web

import slipway.traffic.meter.clients
from slipway.traffic.meter import Report, measure
from tests.ports import free_port
from tests.unit.traffic.meter.site import HEADERS, Site, fine, serving, target_at


def kinds(report: Report) -> set[str]:
    return {loss.kind for loss in report.losses}


def test_a_healthy_site_passes_and_every_second_release_and_host_is_counted() -> None:
    with serving() as site:
        report = measure(target_at(site.url), 50, 0, 2)
    assert report.passed
    assert report.requests.sent == report.requests.ok == 100
    assert [second.sent for second in report.per_second][:2] == [50, 50]
    assert report.per_release["b1"].ok == report.hosts["web1"] == 100
    assert [seen.release for seen in report.releases] == ["b1"]
    assert report.requests.ms.p95 is not None


def test_a_proxys_5xx_is_lost_with_its_time() -> None:
    number = itertools.count()

    async def one_503(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503) if next(number) == 20 else await fine(request)

    with serving(one_503) as site:
        report = measure(target_at(site.url), 40, 0, 1)
    (loss,) = report.losses
    assert loss.kind == "status 503"
    assert (report.requests.lost, report.requests.errors) == (1, 0)
    assert report.exit_code == 1


def test_a_page_that_is_not_there_names_the_key_to_set() -> None:
    async def no_page(_: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    with serving(no_page) as site:
        report = measure(target_at(site.url), 5, 0, 1)
    assert {(loss.kind, loss.detail) for loss in report.losses} == {
        ("status 404", "answered 404: set load.paths in slipway.toml")
    }


def test_a_5xx_of_the_app_is_an_error_with_its_time_host_and_release_and_fails_the_run() -> None:
    number = itertools.count()

    async def one_503(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503, headers=HEADERS) if next(number) == 20 else await fine(request)

    with serving(one_503) as site:
        report = measure(target_at(site.url), 40, 0, 1)
    (loss,) = report.losses
    assert (loss.kind, loss.host, loss.release) == ("status 503", "web1", "b1")
    assert 0.4 < loss.at < 0.6  # the intended time, however busy the machine is
    assert report.requests.errors == report.per_release["b1"].errors == report.per_second[0].errors == 1
    assert report.requests.lost == 0
    assert report.exit_code == 1


def test_a_new_connection_closed_without_an_answer_is_lost_and_not_retried() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    with serving(cut) as site:
        report = measure(target_at(site.url), 20, 0, 1)
        asked = len(site.requests)
    assert kinds(report) == {"reset"}
    assert report.requests.lost == asked == 20
    assert report.requests.retried == 0


def test_a_kept_connection_closed_before_any_byte_is_retried_once_and_told_apart() -> None:
    site: Site

    async def close_on_second(request: web.Request) -> web.StreamResponse:
        if site.number(request) == 2:
            assert request.transport is not None
            request.transport.close()
        return await fine(request)

    with serving(close_on_second) as site:
        report = measure(target_at(site.url), 5, 0, 2)
        asked = len(site.requests)
    assert report.passed
    assert report.requests.ok == 10
    # One for each connection: on a busy machine requests overlap, and more connections are used less often.
    assert report.requests.retried
    assert asked == 10 + report.requests.retried


def test_a_retry_that_fails_too_is_lost() -> None:
    site: Site

    async def close_late(request: web.Request) -> web.StreamResponse:
        if len(site.requests) > 5:
            assert request.transport is not None
            request.transport.abort()
        return await fine(request)

    with serving(close_late) as site:
        report = measure(target_at(site.url), 5, 0, 2)
        asked = len(site.requests)
    assert report.requests.retried == 0
    assert report.requests.lost == 5
    assert kinds(report) == {"reset"}
    assert asked > 10  # those on a kept connection were sent twice; on a busy machine not all are


def test_an_answer_cut_in_the_middle_is_lost_as_truncated_with_its_release() -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers=HEADERS)
        answer.content_length = 1000
        await answer.prepare(request)
        await answer.write(b"x" * 10)
        assert request.transport is not None
        request.transport.close()
        return answer

    with serving(half) as site:
        report = measure(target_at(site.url), 10, 0, 1)
    assert kinds(report) == {"truncated"}
    assert {loss.release for loss in report.losses} == {"b1"}


def test_a_header_cut_in_the_middle_is_lost_even_on_a_kept_connection() -> None:
    site: Site

    async def half_a_header(request: web.Request) -> web.StreamResponse:
        if site.number(request) == 2:
            assert isinstance(request.transport, asyncio.Transport)
            request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            request.transport.close()
            await asyncio.sleep(0.1)
        return await fine(request)

    with serving(half_a_header) as site:
        report = measure(target_at(site.url), 2, 0, 2)
    assert kinds(report) == {"reset"}
    assert report.requests.retried == 0


def test_a_port_nobody_listens_on_is_refused_and_no_data_is_a_failure() -> None:
    report = measure(target_at(f"http://127.0.0.1:{free_port()}"), 10, 0, 1)
    assert kinds(report) == {"refused"}
    assert "no request was answered" in report.failures


def test_an_answer_that_never_comes_is_lost_as_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slipway.traffic.meter.clients, "TIMEOUT_SECONDS", 0.3)

    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(1)
        return await fine(request)

    with serving(never) as site:
        report = measure(target_at(site.url), 5, 0, 1)
    assert kinds(report) == {"timeout"}
    assert report.requests.lost == 5


def test_a_freeze_of_two_seconds_shows_in_the_latencies_of_all_it_held_up() -> None:
    number = itertools.count()

    async def freeze_once(request: web.Request) -> web.StreamResponse:
        if next(number) == 50:
            time.sleep(2)  # the whole server stands still
        return await fine(request)

    began = time.monotonic()
    with serving(freeze_once) as site:
        report = measure(target_at(site.url), 50, 0, 4)
    assert report.requests.sent == 200
    assert report.passed
    p50, p95 = report.requests.ms.p50, report.requests.ms.p95
    assert p50 is not None
    assert p95 is not None
    assert p95 > 1500, "a closed model would have asked once, and seen one slow answer"
    assert report.per_second[1].ms.max is not None
    assert 1900 < report.per_second[1].ms.max < (time.monotonic() - began) * 1000


def test_browsers_keep_their_cookies_and_every_fifth_keeps_none() -> None:
    async def sticky(request: web.Request) -> web.StreamResponse:
        answer = await fine(request)
        if "SLIPWAY_HOST" not in request.cookies:
            answer.set_cookie("SLIPWAY_HOST", "web1")
        return answer

    with serving(sticky) as site:
        measure(target_at(site.url), 50, 0, 3)
        without = [request for request in site.requests if "SLIPWAY_HOST" not in request.cookies]
    assert len(without) == 50 + 2 * 10


def test_clients_are_at_home_on_each_web_host_in_turn() -> None:
    with serving() as site:
        measure(target_at(site.url, homes=["web1", "web2"]), 50, 0, 1)
        homes = Counter(request.cookies.get("SLIPWAY_HOST") for request in site.requests)
    assert homes == {"web1": 20, "web2": 20, None: 10}


def test_tls_is_verified_by_the_ca_and_the_name_while_connecting_elsewhere(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("board.example").configure_cert(tls)  # pyright: ignore[reportUnknownMemberType]
    with serving(tls=tls) as site:
        connect = ("127.0.0.1", site.port)
        target = target_at("https://board.example", connect=connect, ca_file=str(tmp_path / "ca.pem"))
        assert measure(target, 10, 0, 1).passed
        assert site.requests[0].host == "board.example"
        wrong = target.model_copy(update={"url": "https://other.example"})
        assert kinds(measure(wrong, 5, 0, 1)) == {"tls"}


def test_requests_carry_the_load_key_and_say_who_asks() -> None:
    with serving() as site:
        measure(target_at(site.url, load_key="k" * 32), 5, 0, 1)
        headers = site.requests[0].headers
    assert headers["X-Slipway-Load"] == "k" * 32
    assert headers["User-Agent"].startswith("slipway-meter/")
