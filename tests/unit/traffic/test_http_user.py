from __future__ import annotations

import ssl
import threading
import time
from pathlib import Path

import pytest
import trustme

from tests.unit.traffic.apps import app, talking_app
from tests.unit.traffic.conftest import Play
from tests.unit.traffic.site import LittleSite


def sized(seconds: float, arrivals: float, sockets: int = 0, profile: str = "smoke", **more: object):
    return {"profiles": {profile: {"arrivals": arrivals, "sockets": sockets, "seconds": seconds}}, **more}


def once_it_is_asked(site: LittleSite, after: float, seconds: float):
    """Freeze the site so long after its first request: when the users' process is up, not before."""

    def wait() -> None:
        while not site.seen:
            time.sleep(0.01)
        site.freeze(after, seconds)

    return lambda: threading.Thread(target=wait, daemon=True).start()


def test_visits_that_fell_due_while_the_server_stood_still_are_timed_from_then(site: LittleSite, play: Play):
    began = time.monotonic()
    played = play(
        site.port, ["Browser"], app(load=sized(4, 50, paths=["/"])), begun=once_it_is_asked(site, 1, 1)
    )
    times = played["timed"]["HTTP GET /"]
    assert len(times) == 200
    assert played["dropped"] == 0
    # A quarter of all fell due while it stood still, the last just before it went on: evenly from 1 s down.
    assert 600 < times[int(len(times) * 0.95)] < (time.monotonic() - began) * 1000
    assert sum(ms > 500 for ms in times) >= 20


def test_what_finds_no_free_user_in_time_is_counted_as_dropped(site: LittleSite, play: Play):
    played = play(
        site.port,
        ["Few"],
        app(load=sized(4, 50, patience_seconds=0.5)),
        begun=once_it_is_asked(site, 0.5, 2.5),
    )
    done = len(played["timed"]["HTTP GET /"])
    assert played["dropped"] > 20
    assert done + played["dropped"] == played["arrived"] == 200


def test_a_page_that_is_not_there_names_the_key_to_set(site: LittleSite, play: Play):
    played = play(site.port, ["Browser"], app(load=sized(1, 3, paths=["/no-such-page"])))
    assert set(played["errors"]["HTTP GET /no-such-page"]) == {"answered 404: set load.paths in slipway.toml"}


def test_users_say_who_they_are_and_bring_the_load_key(site: LittleSite, play: Play):
    play(
        site.port, ["Browser"], app(load=sized(1, 3, paths=["/"])), load_key="s3cret", homes=["web1", "web2"]
    )
    headers = [each.headers for each in site.seen]
    assert headers
    assert {each["X-Slipway-Load"] for each in headers} == {"s3cret"}
    assert all(each["User-Agent"].startswith("slipway-load/") for each in headers)
    assert {each["Host"] for each in headers} == {f"127.0.0.1:{site.port}"}
    assert {each["Cookie"] for each in headers} <= {"SLIPWAY_HOST=web1", "SLIPWAY_HOST=web2"}
    assert len({each["Cookie"] for each in headers}) == 2


def test_the_load_key_goes_nowhere_else(site: LittleSite, play: Play):
    with LittleSite() as other:
        site.elsewhere = f"http://127.0.0.1:{other.port}/"
        played = play(site.port, ["Followed", "Away"], app(load=sized(1, 4)), load_key="s3cret")
    assert site.count("GET", "/moved") == 2
    assert other.seen == []
    assert "a load test only sends to its stack" in played["errors"]["visit Away"][0]


def test_the_api_user_signs_in_once_and_takes_the_steps_of_the_smoke_test(site: LittleSite, play: Play):
    played = play(site.port, ["Api"], talking_app(load=sized(2, 10)))
    assert played["errors"] == {}
    assert site.count("POST", "/sign-in") == 1
    assert len(played["timed"]["HTTP GET /tasks"]) == 20
    assert "HTTP POST /sign-in" in played["timed"]


def test_a_visit_that_cannot_sign_in_is_an_error_that_names_the_step(site: LittleSite, play: Play):
    played = play(site.port, ["Api"], talking_app(load=sized(1, 4)), values={"PASSWORD": "wr0ng"})
    assert played["errors"]["HTTP POST /sign-in"]
    assert played["errors"]["visit Api"][0] == "sign-in step 'signs in': expected 200, got 401"
    assert "wr0ng" not in str(played)


def test_who_is_asked_to_stop_finishes_the_visit(site: LittleSite, play: Play):
    # Stands still when the last visits begin; they are answered after the profile's end, and counted.
    played = play(
        site.port, ["Browser"], app(load=sized(2, 20, paths=["/"])), begun=once_it_is_asked(site, 1.5, 1.5)
    )
    assert len(played["timed"]["HTTP GET /"]) + played["dropped"] == 40
    assert len(played["timed"]["HTTP GET /"]) >= 35
    assert played["errors"] == {}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("name", ["board.example", "other.example"])
@pytest.mark.parametrize("trusted", [True, False])
def test_the_certificate_must_be_the_sites(
    play: Play, authority: trustme.CA, tmp_path: Path, name: str, trusted: bool
):

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - untyped
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with LittleSite(tls=context) as site:
        played = play(
            site.port,
            ["Browser", "Watcher"],
            talking_app(load=sized(1, 4, 1, paths=["/"], reconnect_seconds=0.1)),
            scheme="https",
            host="board.example",
            ca_file=str(ca_file) if trusted else "",
        )
    if trusted and name == "board.example":
        assert played["errors"] == {}
        assert played["sockets"] == 1
    else:
        assert not any(each.path == "/" for each in site.seen)
        assert all("certificate verify failed" in each.lower() for each in played["errors"]["HTTP GET /"])
        assert len(played["errors"]["HTTP GET /"]) == 4
        assert played["sockets"] == 0
