from __future__ import annotations

import pytest

from tests.unit.traffic.apps import talking_app
from tests.unit.traffic.conftest import Play
from tests.unit.traffic.site import LittleSite
from tests.unit.traffic.test_http_user import sized

SESSION, ECHO, BROADCAST = "WS session /ws", "WS echo /ws", "WS broadcast /ws"


def quick(seconds: float, sockets: int, **more: object):
    return sized(seconds, 0, sockets, echo_seconds=0.2, reconnect_seconds=0.2, broadcasts=0) | more


def test_sockets_open_are_greeted_echo_and_leave_in_order(site: LittleSite, play: Play):
    played = play(site.port, ["Watcher"], talking_app(load=quick(2, 5)))
    assert played["errors"] == {}
    assert played["failed"] == []
    assert played["sockets"] == 5
    assert played["open_at_the_end"] == 0
    assert len(played["timed"]["WS connect /ws"]) == len(played["timed"]["WS open /ws"]) == 5
    # Five sockets, each for two seconds, each fifth of a second; on a busy machine less often.
    assert 5 < len(played["timed"][ECHO]) <= site.sent["PONG"] <= 55
    assert all(ms > 1000 for ms in played["timed"][SESSION])


def test_what_one_writes_all_others_hear_of(site: LittleSite, play: Play):
    played = play(site.port, ["Watcher", "Author"], talking_app(load=quick(2, 4, broadcasts=5)))
    assert played["errors"] == {}
    # Four hear each of ten; on a busy machine some open only after the first were written.
    # A listener that does not hear is an error.
    assert 10 < len(played["timed"][BROADCAST]) <= site.sent["CREATED"] <= 40
    assert site.count("POST", "/tasks") == site.count("DELETE", "/tasks/7") == 10


def test_a_write_that_nobody_hears_of_is_an_error_for_each_that_should_have(site: LittleSite, play: Play):
    site.deaf = True
    load = quick(3, 2, broadcasts=1, patience_seconds=0.5)
    played = play(site.port, ["Watcher", "Author"], talking_app(load=load))
    assert set(played["errors"][BROADCAST]) == {"not received"}
    assert len(played["errors"][BROADCAST]) <= 6


def test_who_is_told_to_go_comes_back_and_nothing_is_wrong(site: LittleSite, play: Play):
    site.goodbye = "notice"
    played = play(site.port, ["Watcher"], talking_app(load=quick(2, 2)))
    assert played["errors"] == {}
    assert len(played["timed"]["WS connect /ws"]) == 2
    assert len(played["timed"]["WS connect /ws again"]) >= 4


@pytest.mark.parametrize(
    ("goodbye", "said"),
    [
        ("code", {"close code 1011"}),
        ("cut", {"closed without a close frame", "connection reset by peer"}),
    ],
)
def test_any_other_end_is_an_error(site: LittleSite, play: Play, goodbye: str, said: set[str]):
    site.goodbye = goodbye
    played = play(site.port, ["Watcher"], talking_app(load=quick(1, 1)))
    assert set(played["errors"]) == {SESSION}
    assert set(played["errors"][SESSION]) <= said


def test_attempts_that_fail_become_rarer(site: LittleSite, play: Play):
    site.goodbye = "code"
    load = sized(4, 0, 1, echo_seconds=0.01, reconnect_seconds=0, broadcasts=0)
    play(site.port, ["Watcher"], talking_app(load=load))
    assert 2 <= len(site.opened) <= 30


def test_an_echo_that_is_not_answered_is_an_error_and_ends_the_session(site: LittleSite, play: Play):
    site.mute = True
    played = play(site.port, ["Watcher"], talking_app(load=quick(2, 1, patience_seconds=0.5)))
    assert set(played["errors"][ECHO]) == {"not answered"}
    assert "echo not answered" in played["errors"][SESSION]


def test_a_storm_cuts_all_and_all_come_back_at_random_moments(site: LittleSite, play: Play):
    load = {
        "profiles": {"storm": {"arrivals": 0, "sockets": 12, "seconds": 6}},
        "echo_seconds": 0.5, "reconnect_seconds": 1.0, "broadcasts": 0,
    }  # fmt: skip
    played = play(site.port, ["Watcher"], talking_app(load=load), profile="storm")
    assert played["errors"] == {}
    assert len(played["timed"][SESSION]) == 24
    assert len(played["timed"]["WS connect /ws again"]) == 12
    assert len(site.opened) == 24
    # When each was due, for on a busy machine those that were due in one second may come in one moment.
    again = played["due"]["WS connect /ws again"]
    assert again[-1] - again[0] > 0.3
    assert len({int(10 * moment) for moment in again}) > 3


def test_a_slow_reader_hears_all_of_it_in_the_end(site: LittleSite, play: Play):
    load = quick(8, 1, broadcasts=10)
    played = play(site.port, ["SlowReader", "Author"], talking_app(load=load))
    assert played["errors"] == {}
    # In its tunnels of three seconds nothing arrives; what waited there is old when it is heard.
    assert max(played["timed"]["WS backlog /ws"]) > 1500
    assert 10 < len(played["timed"]["WS backlog /ws"]) <= site.sent["CREATED"]
    assert BROADCAST not in played["timed"]
