from __future__ import annotations

import time

import gevent
from gevent.pool import Group

from slipway.traffic.arrivals import VisitQueue


def test_visits_fall_due_on_time_although_nobody_takes_them():
    late: list[float] = []
    queue = VisitQueue(10, arrived=late.append)
    zero = time.perf_counter()
    queue.schedule(iter([0.0, 0.05, 0.1]), zero)
    queue.dispatch()
    assert time.perf_counter() - zero >= 0.1
    assert queue.waiting == 3
    assert [round((queue.take() or 0) - zero, 3) for _ in range(3)] == [0.0, 0.05, 0.1]
    assert len(late) == 3
    assert all(seconds >= 0 for seconds in late)


def test_a_visit_that_finds_nobody_in_time_is_dropped():
    dropped: list[float] = []
    queue = VisitQueue(0.05, dropped=dropped.append)
    now = time.perf_counter()
    queue.offer(now - 1)
    queue.offer(now - 0.5)
    queue.offer(now)
    assert queue.take() == now
    since, (first, second) = time.perf_counter() - now, dropped
    assert 1 <= first <= 1 + since
    assert 0.5 <= second <= 0.5 + since


def test_those_that_still_wait_at_the_end_are_dropped():
    dropped: list[float] = []
    queue = VisitQueue(10, dropped=dropped.append)
    for _ in range(3):
        queue.offer(time.perf_counter())
    queue.close(time.perf_counter())
    assert (queue.waiting, len(dropped)) == (0, 3)


def test_a_dispatcher_that_was_held_up_tells_how_late_it_is():
    late: list[float] = []
    queue, zero = VisitQueue(10, arrived=late.append), time.perf_counter() - 0.2
    queue.schedule(iter([0.0]), zero)
    queue.dispatch()
    assert 0.2 <= late[0] <= time.perf_counter() - zero


def test_whoever_waits_longest_gets_no_visit_twice():
    queue, taken = VisitQueue(10), list[float]()
    users = Group()

    def user() -> None:
        queue.wait()
        taken.append(queue.take() or 0)

    for _ in range(5):
        users.spawn(user)  # pyright: ignore[reportUnknownMemberType] - untyped
    queue.schedule(iter([0.0, 0.01, 0.02]), time.perf_counter())
    queue.dispatch()
    gevent.sleep(0.05)
    assert len(taken) == len(set(taken)) == 3
    users.kill()


def test_a_process_that_starts_late_offers_at_once_what_was_due_before():
    late: list[float] = []
    queue = VisitQueue(60, arrived=late.append)
    queue.schedule(iter([0.0, 1.0, 2.0]), time.perf_counter() - 10)
    queue.dispatch()
    assert queue.waiting == 3
    assert min(late) >= 8


def test_visits_that_were_due_and_never_offered_are_dropped_and_those_not_due_yet_are_not():
    arrived, dropped = list[float](), list[float]()
    queue = VisitQueue(60, arrived=arrived.append, dropped=dropped.append)
    now = time.perf_counter()
    queue.schedule(iter([0.0, 1.0, 2.0, 3.0]), now - 2.5)
    queue.close(now)
    assert len(arrived) == len(dropped) == 3


def test_a_visit_under_way_is_known_until_it_has_finished():
    queue = VisitQueue(60)
    queue.offer(time.perf_counter())
    queue.take()
    assert (queue.waiting, queue.under_way) == (0, 1)
    assert queue.take() is None
    queue.finish()
    assert queue.under_way == 0
