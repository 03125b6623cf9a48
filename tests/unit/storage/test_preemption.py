"""A rollback takes the lease of a release that runs, and of no other command."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from slipway.settings import LeaseHeld
from slipway.storage.lease import Lease, LeaseLost, lease_key, read_last_lease, read_lease
from slipway.storage.ledger import Ledger
from tests.s3 import S3
from tests.unit.storage.memory import MemoryBucket


def test_a_rollback_takes_the_lease_of_a_release_at_once_under_a_greater_fence() -> None:
    bucket = MemoryBucket()
    release = Lease.acquire(bucket, "prod", "ci", command="slipway release", yields=True)
    rollback = Lease.acquire(bucket, "prod", "ana@desk", command="slipway rollback", preempts=True)
    assert rollback.fence == release.fence + 1
    assert rollback.preempted is not None
    assert (rollback.preempted.owner, rollback.preempted.command) == ("ci", "slipway release")
    rollback.release()
    release.release()


def test_a_lease_that_does_not_yield_is_waited_for() -> None:
    bucket = MemoryBucket()
    with (
        Lease.acquire(bucket, "prod", "ana@desk", command="slipway rollback", preempts=True),
        pytest.raises(LeaseHeld, match="held by ana@desk"),
    ):
        Lease.acquire(bucket, "prod", "ben@desk", preempts=True)


def test_another_release_does_not_take_it() -> None:
    bucket = MemoryBucket()
    with Lease.acquire(bucket, "prod", "ci", yields=True), pytest.raises(LeaseHeld):
        Lease.acquire(bucket, "prod", "ben@desk", yields=True)


def test_a_free_lease_is_taken_and_none_pre_empted() -> None:
    bucket = MemoryBucket()
    Lease.acquire(bucket, "prod", "ci", yields=True).release()
    with Lease.acquire(bucket, "prod", "ana@desk", preempts=True) as lease:
        assert lease.preempted is None


def test_the_pre_empted_command_can_write_nothing_and_leaves_the_new_lease_alone() -> None:
    bucket = MemoryBucket()
    first = Lease.acquire(bucket, "prod", "ci", yields=True)
    ledger = Ledger(bucket, "prod", lease=first, actor="ci")
    running = ledger.create(kind="release", build="b1", config="c")
    ledger.event(running.number, "stage", "started")
    second = Lease.acquire(bucket, "prod", "ana@desk", preempts=True)
    newer = Ledger(bucket, "prod", lease=second, actor="ana@desk")
    found = newer.unfinished()
    assert found is not None
    newer.end(found.number, "undone")
    with pytest.raises(LeaseLost):
        ledger.promote(running.number)
    with pytest.raises(LeaseLost):
        ledger.event(running.number, "stage", "done")
    first.release()
    held = read_lease(bucket, "prod")
    assert held is not None
    assert held.fence == second.fence
    second.release()
    assert read_lease(bucket, "prod") is None
    last = read_last_lease(bucket, "prod")
    assert last is not None
    assert last.owner == "ana@desk"


def test_a_promotion_at_the_same_instant_is_made_or_refused_and_never_half() -> None:
    """At every request of a promotion: a rollback takes the lease just before it, or just after."""
    for request in range(6):
        for after in (False, True):
            bucket = MemoryBucket()
            first = Lease.acquire(bucket, "prod", "ci", yields=True)
            ledger = Ledger(bucket, "prod", lease=first, actor="ci")
            number = ledger.create(kind="release", build="b1", config="c").number
            seen: list[bool] = []

            def preempt(on: MemoryBucket = bucket, at: int = number, seen: list[bool] = seen) -> None:
                lease = Lease.acquire(on, "prod", "ana@desk", preempts=True)
                ledger = Ledger(on, "prod", lease=lease, actor="ana@desk")
                seen.append(ledger.unfinished() is None)  # which settles it for good
                seen.append(ledger.head().live == at)

            bucket.strike_at(request, after=after, strike=preempt)
            try:
                ledger.promote(number)
                promoted = True
            except LeaseLost:
                promoted = False
            if seen:
                assert seen == [seen[1], seen[1]], (request, after)
                assert seen[1] == (ledger.head().live == number), (request, after)
                assert promoted <= seen[1], (request, after)
            first.release()


def test_the_holder_notices_within_seconds_and_stops(s3: S3) -> None:
    bucket = s3.bucket()
    noticed = threading.Event()
    with Lease.acquire(bucket, "prod", "ci", yields=True) as first:
        first.on_loss = noticed.set
        Lease.acquire(s3.bucket(bucket.name), "prod", "ana@desk", preempts=True).release()
        assert noticed.wait(5), "long before its lease would have been renewed"
        with pytest.raises(LeaseLost):
            first.check()


def test_of_two_rollbacks_at_once_exactly_one_pre_empts(s3: S3) -> None:
    name = s3.bucket().name
    release = Lease.acquire(s3.bucket(name), "prod", "ci", yields=True)
    gate = threading.Barrier(4)

    def race(number: int) -> Lease | None:
        bucket = s3.bucket(name)
        gate.wait()
        try:
            return Lease.acquire(bucket, "prod", f"racer {number}", preempts=True)
        except LeaseHeld:
            return None

    with ThreadPoolExecutor(4) as pool:
        won = [lease for lease in pool.map(race, range(4)) if lease]
    assert [lease.fence for lease in won] == [release.fence + 1]
    for lease in (*won, release):
        lease.release()
    assert read_last_lease(s3.bucket(name), "prod") is not None


def test_a_real_bucket_keeps_the_new_lease_when_the_old_holder_renews(s3: S3) -> None:
    bucket = s3.bucket()
    first = Lease.acquire(bucket, "prod", "ci", ttl=3, yields=True)
    second = Lease.acquire(s3.bucket(bucket.name), "prod", "ana@desk", preempts=True)
    assert first.lost.wait(4)
    found = bucket.get_json(lease_key("prod"))
    assert found is not None
    assert found[0]["fence"] == second.fence
    first.release()
    second.release()
