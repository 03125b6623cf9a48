from __future__ import annotations

import time

from slipway.traffic.broadcasts import Broadcasts, Ear


def written(broadcasts: Broadcasts) -> str:
    began = time.perf_counter()
    mark = broadcasts.mark(began)
    broadcasts.wrote(mark, began)
    return mark


def test_a_write_is_as_old_as_its_mark_says_and_counts_once():
    broadcasts = Broadcasts()
    ear = Ear(broadcasts)
    due = time.perf_counter() - 0.5
    mark = broadcasts.mark(due)
    age = ear.hear(f'{{"title":"{mark}"}}')
    assert age is not None
    assert 500 <= age <= (time.perf_counter() - due) * 1000
    assert ear.hear(f'{{"updated":"{mark}"}}') is None


def test_what_tells_of_no_write_is_nothing():
    assert Ear(Broadcasts()).hear('{"title":"Smoke test"}') is None


def test_who_has_not_heard_of_a_write_in_time_missed_it_once():
    broadcasts = Broadcasts()
    ear = Ear(broadcasts)
    heard, missed = written(broadcasts), written(broadcasts)
    assert ear.hear(heard) is not None
    assert list(ear.missed(before=0)) == []
    assert [each.mark for each in ear.missed(before=time.perf_counter())] == [missed]
    assert list(ear.missed(before=time.perf_counter())) == []


def test_nobody_misses_what_was_written_before_they_listened():
    broadcasts = Broadcasts()
    began = time.perf_counter()
    mark = broadcasts.mark(began)
    ear = Ear(broadcasts)
    broadcasts.wrote(mark, began)
    written(broadcasts)
    assert len(list(ear.missed(before=time.perf_counter()))) == 1


def test_a_write_of_another_process_is_heard_of_but_owed_to_nobody():
    here, there = Broadcasts(), Broadcasts()
    ear = Ear(here)
    assert ear.hear(written(there)) is not None
    assert list(ear.missed(before=time.perf_counter())) == []
