from __future__ import annotations

import time

from slipway.traffic.conversation import Broadcasts, Listener


def written(broadcasts: Broadcasts) -> str:
    began = time.perf_counter()
    tag = broadcasts.tag(began)
    broadcasts.wrote(tag, began)
    return tag


def test_a_write_is_as_old_as_its_mark_says_and_counts_once():
    broadcasts = Broadcasts()
    listener = Listener(broadcasts)
    due = time.perf_counter() - 0.5
    tag = broadcasts.tag(due)
    age = listener.age_of(f'{{"title":"{tag}"}}')
    assert age is not None
    assert 500 <= age <= (time.perf_counter() - due) * 1000
    assert listener.age_of(f'{{"updated":"{tag}"}}') is None


def test_what_tells_of_no_write_is_nothing():
    assert Listener(Broadcasts()).age_of('{"title":"Smoke test"}') is None


def test_who_has_not_heard_of_a_write_in_time_missed_it_once():
    broadcasts = Broadcasts()
    listener = Listener(broadcasts)
    heard, missed = written(broadcasts), written(broadcasts)
    assert listener.age_of(heard) is not None
    assert list(listener.missed(before=0)) == []
    assert [each.tag for each in listener.missed(before=time.perf_counter())] == [missed]
    assert list(listener.missed(before=time.perf_counter())) == []


def test_nobody_misses_what_was_written_before_they_listened():
    broadcasts = Broadcasts()
    began = time.perf_counter()
    tag = broadcasts.tag(began)
    listener = Listener(broadcasts)
    broadcasts.wrote(tag, began)
    written(broadcasts)
    assert len(list(listener.missed(before=time.perf_counter()))) == 1


def test_a_write_of_another_process_is_heard_of_but_owed_to_nobody():
    here, there = Broadcasts(), Broadcasts()
    listener = Listener(here)
    assert listener.age_of(written(there)) is not None
    assert list(listener.missed(before=time.perf_counter())) == []
