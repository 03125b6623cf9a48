from __future__ import annotations

import pytest

from slipway.settings import BadInput
from slipway.traffic.profile import SHAPES, profile_of
from tests.unit.traffic.apps import app, rate_at, talking_app

LOAD = {"arrivals": 20, "sockets": 100}


def test_every_shape_can_be_had_and_judges_something():
    for name in SHAPES:
        profile = profile_of(name, talking_app(load=LOAD))
        assert profile.windows, name
        assert all(0 <= begin < end <= profile.seconds for begin, end in profile.windows), name
        assert all(rate_at(profile.schedule, begin) > 0 for begin, _ in profile.windows), name


def test_expected_is_what_slipway_toml_says_and_the_ramp_is_not_judged():
    profile = profile_of("expected", talking_app(load=LOAD))
    assert (profile.schedule.peak_rate, profile.schedule.peak_sockets) == (20, 100)
    assert profile.windows == ((20, 75),)
    assert not profile.judges(10)
    assert profile.judges(30)


def test_stress_goes_to_four_times_of_it():
    assert profile_of("stress", talking_app(load=LOAD)).schedule.peak_rate == 80


def test_smoke_stays_small_and_a_few_samples_are_enough():
    profile = profile_of("smoke", talking_app(load=LOAD))
    assert (profile.schedule.peak_rate, profile.schedule.peak_sockets) == (3, 5)
    assert profile.min_samples == 1
    assert profile_of("expected", talking_app(load=LOAD)).min_samples == 20


def test_a_storm_cuts_every_socket_once():
    profile = profile_of("storm", talking_app(load=LOAD))
    assert profile.schedule.storms == (30,)


def test_an_app_without_websocket_has_no_sockets():
    assert profile_of("expected", app(load=LOAD)).schedule.peak_sockets == 0


def test_only_an_app_that_says_what_it_echoes_must_have_echoed():
    talks = profile_of("smoke", talking_app(load=LOAD))
    assert talks.kinds(talking_app(load=LOAD)) == {"HTTP", "WS connect", "WS echo"}
    silent = app(load=LOAD, websocket={"path": "/ws"})
    assert profile_of("smoke", silent).kinds(silent) == {"HTTP", "WS connect"}
    bare = app(load=LOAD)
    assert profile_of("smoke", bare).kinds(bare) == {"HTTP"}


def test_a_profile_has_the_size_that_slipway_toml_gives_it():
    sizes = {"profiles": {"soak": {"arrivals": 7, "sockets": 3, "seconds": 366}}}
    profile = profile_of("soak", talking_app(load=LOAD | sizes))
    assert profile.seconds == pytest.approx(366)
    assert (profile.schedule.peak_rate, profile.schedule.peak_sockets) == (7, 3)
    # The ramp is shortened as all of it is: a tenth of its minute.
    assert rate_at(profile.schedule, 6.001) == pytest.approx(7)
    assert rate_at(profile.schedule, 3) == pytest.approx(3.5)


def test_settling_takes_at_most_half_of_a_window():
    profile = profile_of("smoke", app(load={"arrivals": 1, "settle_seconds": 600}))
    assert profile.windows == ((7.5, 15),)


@pytest.mark.parametrize(
    ("name", "load", "said"),
    [
        ("marathon", {}, "there is no load profile 'marathon'"),
        ("expected", {"arrivals": 0}, "the profile defines no load"),
    ],
)
def test_what_sends_nothing_is_refused(name: str, load: dict[str, float], said: str):
    with pytest.raises(BadInput, match=said):
        profile_of(name, app(load=load))
