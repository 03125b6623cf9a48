from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from slipway.traffic.profile import Leg, Part, Schedule
from tests.unit.traffic.apps import sockets_at

rates = st.floats(0, 200).map(lambda rate: round(rate, 3))
heights = st.integers(0, 50)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Legs one after another; each begins where the last ended, or jumps."""
    legs: list[Leg] = []
    at, rate, sockets = 0.0, 0.0, 0.0
    for _ in range(draw(st.integers(1, 5))):
        seconds = draw(st.sampled_from([0.0, 0.5, 1.0, 3.0]))
        to_rate, to_sockets = draw(rates), float(draw(heights))
        legs.append(Leg(at, at + seconds, rate, to_rate, sockets, to_sockets))
        at, rate, sockets = at + seconds, to_rate, to_sockets
    return Schedule(tuple(legs))


@given(schedules())
def test_as_many_arrive_as_the_rate_says_and_in_order(schedule: Schedule):
    times = list(schedule.arrivals())
    assert abs(len(times) - sum(leg.arrivals for leg in schedule.legs)) <= 1
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert all(0 <= at <= schedule.seconds for at in times)


@given(schedules(), st.integers(1, 4))
def test_the_parts_together_send_what_one_would(schedule: Schedule, of: int):
    parts = [at for index in range(of) for at in schedule.arrivals(part=Part(index, of))]
    assert sorted(parts) == pytest.approx(list(schedule.arrivals()))


@given(schedules(), st.floats(0.1, 0.9))
def test_shares_add_up(schedule: Schedule, share: float):
    both = len(list(schedule.arrivals(share))) + len(list(schedule.arrivals(1 - share)))
    assert abs(both - len(list(schedule.arrivals()))) <= 2


def test_a_constant_rate_is_evenly_spaced():
    steady = Schedule((Leg(0, 0, 0, 4, 0, 0), Leg(0, 2, 4, 4, 0, 0)))
    assert list(steady.arrivals()) == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75])


def test_a_ramp_comes_denser_and_denser():
    times = list(Schedule((Leg(0, 10, 0, 20, 0, 0),)).arrivals())
    assert len(times) == 100
    # By half of the time a quarter has come.
    assert times[25] == pytest.approx(5.0)


@given(schedules(), st.integers(0, 49))
def test_a_seat_is_taken_exactly_while_so_many_sockets_are_to_be_open(schedule: Schedule, rank: int):
    taken: list[tuple[float, float]] = []
    at = schedule.socket_opens(rank)
    while at is not None:
        until = schedule.socket_closes(rank, at)
        assert until > at
        taken.append((at, until))
        at = schedule.socket_opens(rank, until)
    steps = 200
    for index in range(steps):
        moment = schedule.seconds * index / steps
        sockets = sockets_at(schedule, moment)
        if abs(sockets - rank) > 0.01 and not any(
            abs(moment - edge) < 1e-3 for leg in schedule.legs for edge in (leg.begins, leg.ends)
        ):
            assert any(begin <= moment < end for begin, end in taken) == (sockets > rank), moment


def test_storms_are_told_one_after_the_other():
    calm, storm = Leg(0, 5, 1, 1, 1, 1), Leg(5, 9, 1, 1, 1, 1, storm=True)
    schedule = Schedule((calm, storm))
    assert schedule.next_storm(0) == 5
    assert schedule.next_storm(5) == float("inf")
