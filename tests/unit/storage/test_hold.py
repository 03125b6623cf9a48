"""A held stack stays held until a person resumes it, or until what a rollback returned to is live no more."""

from __future__ import annotations

import pytest

from slipway.storage.bucket import Damaged
from slipway.storage.hold import hold, hold_key, read_holds, resume
from slipway.storage.lease import Lease
from slipway.storage.ledger import Ledger
from slipway.storage.records import Release
from tests.s3 import S3
from tests.unit.storage.memory import MemoryBucket


def ledger(bucket: MemoryBucket) -> Ledger:
    return Ledger(bucket, "prod", lease=Lease.acquire(bucket, "prod", "ana@desk"), actor="ana@desk")


def ship(on: Ledger, build: str) -> Release:
    release = on.create(kind="release", build=build, config="c")
    on.event(release.number, "switch", "done")
    on.promote(release.number)
    on.event(release.number, "promote", "done")
    return release


def roll_back(on: Ledger, target: int, *, gone: int | None = None) -> Release:
    record = on.create(kind="rollback", build="b", config="c", target=target, gone=gone)
    on.event(record.number, "switch", "done")
    on.roll_back(target, record=record.number)
    on.event(record.number, "promote", "done")
    return record


def test_a_person_holds_a_stack_and_another_resumes_it() -> None:
    bucket = MemoryBucket()
    held = hold(bucket, "prod", "ana@desk", "the holidays")
    assert str(held) == "by ana@desk since 2027-01-15 08:00:00 UTC: the holidays"
    assert read_holds(bucket, "prod").standing(4) == [held]
    assert resume(bucket, "prod", "ben@desk", 4) == [held]
    assert read_holds(bucket, "prod").standing(4) == []
    assert resume(bucket, "prod", "ben@desk", 4) == []
    left = read_holds(bucket, "prod").person
    assert left is not None
    assert left.lifted_by == "ben@desk"


def test_a_stack_is_held_while_a_release_has_its_lease() -> None:
    bucket = MemoryBucket()
    with Lease.acquire(bucket, "prod", "ana@desk"):
        hold(bucket, "prod", "ben@desk", "")
    assert read_holds(bucket, "prod").person is not None


def test_two_persons_at_once_do_not_undo_each_others_hold() -> None:
    bucket = MemoryBucket()
    on = ledger(bucket)
    ship(on, "b1")
    ship(on, "b2")
    record = on.create(kind="rollback", build="b", config="c", target=1)
    bucket.strike_at(1, after=False, strike=lambda: on.roll_back(1, record=record.number))
    hold(bucket, "prod", "ben@desk", "freeze")
    standing = read_holds(bucket, "prod").standing(1)
    assert [each.cause for each in standing] == ["person", "rollback"]


def test_a_rollback_holds_the_stack_against_what_it_took_out_of_service() -> None:
    bucket = MemoryBucket()
    on = ledger(bucket)
    good, bad = ship(on, "b1"), ship(on, "b2")
    record = roll_back(on, good.number)
    (held,) = read_holds(bucket, "prod").standing(on.head().live)
    assert (held.cause, held.by, held.record) == ("rollback", "ana@desk", record.number)
    assert (held.target, held.gone, held.build) == (good.number, bad.number, "b2")
    assert "after the rollback from release 2 to release 1" in str(held)


def test_the_hold_of_a_rollback_ends_when_another_release_is_live() -> None:
    bucket = MemoryBucket()
    on = ledger(bucket)
    ship(on, "b1")
    ship(on, "b2")
    roll_back(on, 1)
    ship(on, "b3")
    assert read_holds(bucket, "prod").standing(on.head().live) == []


def test_a_rollback_from_a_release_under_way_closes_its_record_and_holds_its_build() -> None:
    bucket = MemoryBucket()
    on = ledger(bucket)
    good = ship(on, "b1")
    running = on.create(kind="release", build="b2", config="c")
    on.event(running.number, "switch", "done")
    roll_back(on, good.number, gone=running.number)
    closed = on.get(running.number)
    assert (closed.status, closed.progress.ended, closed.was_promoted) == ("undone", True, False)
    assert on.unfinished() is None
    assert [held.build for held in read_holds(bucket, "prod").standing(good.number)] == ["b2"]


def test_a_repeated_end_of_a_rollback_does_not_hold_a_resumed_stack_again() -> None:
    bucket = MemoryBucket()
    on = ledger(bucket)
    ship(on, "b1")
    ship(on, "b2")
    record = on.create(kind="rollback", build="b", config="c", target=1, gone=2)
    on.roll_back(1, record=record.number)
    assert len(resume(bucket, "prod", "ben@desk", 1)) == 1
    on.roll_back(1, record=record.number)
    assert read_holds(bucket, "prod").standing(1) == []
    another = on.create(kind="rollback", build="b", config="c", target=1, gone=2)
    on.roll_back(1, record=another.number)
    assert len(read_holds(bucket, "prod").standing(1)) == 1


def test_a_damaged_hold_holds_the_stack_and_keeps_no_rollback_from_its_end() -> None:
    bucket = MemoryBucket()
    on = ledger(bucket)
    ship(on, "b1")
    ship(on, "b2")
    bucket.put_json(hold_key("prod"), {"person": "damaged"})
    roll_back(on, 1)
    assert on.head().live == 1
    with pytest.raises(Damaged):
        read_holds(bucket, "prod")


def test_a_real_bucket_keeps_it(s3: S3) -> None:
    bucket = s3.bucket()
    hold(bucket, "prod", "ana@desk", "first")
    hold(bucket, "prod", "ana@desk", "second")
    found = bucket.get_json(hold_key("prod"))
    assert found is not None
    assert found[0]["person"]["reason"] == "second"
    assert len(resume(bucket, "prod", "ben@desk", None)) == 1
