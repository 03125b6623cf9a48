from __future__ import annotations

import time

import gevent
from gevent.pool import Group

from slipway.traffic.arrivals import Lane


def test_visits_fall_due_on_time_although_nobody_takes_them():
    late: list[float] = []
    lane = Lane(10, arrived=late.append)
    zero = time.perf_counter()
    lane.dispatch(iter([0.0, 0.05, 0.1]), zero)
    assert time.perf_counter() - zero >= 0.1
    assert lane.waiting == 3
    assert [round(lane.take() - zero, 3) for _ in range(3)] == [0.0, 0.05, 0.1]
    assert len(late) == 3
    assert all(seconds >= 0 for seconds in late)


def test_a_visit_that_finds_nobody_in_time_is_dropped():
    dropped: list[float] = []
    lane = Lane(0.05, dropped=dropped.append)
    now = time.perf_counter()
    lane.offer(now - 1)
    lane.offer(now - 0.5)
    lane.offer(now)
    assert lane.take() == now
    since, (first, second) = time.perf_counter() - now, dropped
    assert 1 <= first <= 1 + since
    assert 0.5 <= second <= 0.5 + since


def test_those_that_still_wait_at_the_end_are_dropped():
    dropped: list[float] = []
    lane = Lane(10, dropped=dropped.append)
    for _ in range(3):
        lane.offer(time.perf_counter())
    lane.close()
    assert (lane.waiting, len(dropped)) == (0, 3)


def test_a_dispatcher_that_was_held_up_tells_how_late_it_is():
    late: list[float] = []
    lane, zero = Lane(10, arrived=late.append), time.perf_counter() - 0.2
    lane.dispatch(iter([0.0]), zero)
    assert 0.2 <= late[0] <= time.perf_counter() - zero


def test_whoever_waits_longest_gets_no_visit_twice():
    lane, taken = Lane(10), list[float]()
    users = Group()
    for _ in range(5):
        users.spawn(lambda: taken.append(lane.take()))  # pyright: ignore[reportUnknownMemberType] - untyped
    lane.dispatch(iter([0.0, 0.01, 0.02]), time.perf_counter())
    gevent.sleep(0.05)
    assert len(taken) == len(set(taken)) == 3
    users.kill()
