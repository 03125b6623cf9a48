"""One command at a time holds the lease, and none holds it for ever."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from slipway.settings import LeaseHeld
from slipway.storage.bucket import BucketError
from slipway.storage.lease import Lease, LeaseLost, LeaseRecord, lease_key, read_lease
from slipway.storage.ledger import Ledger
from tests.s3 import S3
from tests.unit.storage.memory import MemoryBucket


def test_it_says_by_whom_it_is_held_since_when_and_until_when() -> None:
    bucket = MemoryBucket()
    bucket.now = 1_800_000_000.0  # 08:00:00 UTC
    with Lease.acquire(bucket, "prod", "ana@desk pid 7", command="slipway release"):
        bucket.now += 12
        with pytest.raises(LeaseHeld) as caught:
            Lease.acquire(bucket, "prod", "ben@desk pid 8")
    assert caught.value.exit_code == 3
    assert caught.value.message == (
        "stack prod is held by ana@desk pid 7 (`slipway release`) since 08:00:00 UTC, "
        "until 08:00:30 UTC unless it is renewed (last 12 s ago)"
    )


def test_the_fence_grows_over_release_expiry_and_even_a_lost_object() -> None:
    bucket = MemoryBucket()
    with Lease.acquire(bucket, "prod", "a") as first:
        assert first.fence == 1
    second = Lease.acquire(bucket, "prod", "b")
    bucket.now += 40
    third = Lease.acquire(bucket, "prod", "c")
    assert (second.fence, third.fence) == (2, 3)
    third.release()
    second.release()
    bucket.put_json("stacks/prod/head.json", {"fence": 3})
    del bucket.objects[lease_key("prod")]
    with Lease.acquire(bucket, "prod", "d") as fourth:
        assert fourth.fence > 3


def test_a_released_lease_stays_as_a_tombstone_and_frees_the_stack() -> None:
    bucket = MemoryBucket()
    lease = Lease.acquire(bucket, "prod", "a")
    lease.release()
    lease.release()
    found = bucket.get_json(lease_key("prod"))
    assert found is not None
    assert LeaseRecord.model_validate(found[0]).released
    assert read_lease(bucket, "prod") is None
    with pytest.raises(LeaseLost):
        lease.check()


def test_it_is_released_when_the_command_is_interrupted() -> None:
    bucket = MemoryBucket()
    with pytest.raises(KeyboardInterrupt), Lease.acquire(bucket, "prod", "a"):
        raise KeyboardInterrupt
    assert read_lease(bucket, "prod") is None


def test_a_bucket_that_is_away_when_a_command_ends_does_not_leave_the_stack_held() -> None:
    """Otherwise every command of the next half minute would be refused."""
    bucket = MemoryBucket()
    lease = Lease.acquire(bucket, "prod", "a")
    bucket.strike_at(0, after=False, strike=_away)
    lease.release()
    assert read_lease(bucket, "prod") is None


def test_a_release_whose_answer_was_lost_is_a_release() -> None:
    bucket = MemoryBucket()
    lease = Lease.acquire(bucket, "prod", "a")
    bucket.strike_at(0, after=True, strike=_away)
    lease.release()
    assert read_lease(bucket, "prod") is None


def _away() -> None:
    raise BucketError("the bucket cannot be reached")


def test_a_holder_stops_before_anyone_else_may_begin() -> None:
    bucket = MemoryBucket()
    lease = Lease.acquire(bucket, "prod", "a", ttl=30)
    bucket.now += 27.9
    assert lease.check() == lease.fence
    bucket.now += 0.2
    with pytest.raises(LeaseLost):
        lease.check()
    with pytest.raises(LeaseHeld):
        Lease.acquire(bucket, "prod", "b")
    bucket.now += 4
    Lease.acquire(bucket, "prod", "b").release()
    lease.release()
    assert lease.lost.is_set()


def test_a_heartbeat_keeps_it_and_finds_out_when_it_was_taken(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway.storage.lease._CLOCK_SLACK_SECONDS", 0.5)
    bucket = s3.bucket()
    with Lease.acquire(bucket, "prod", "a", ttl=3) as lease:
        time.sleep(4)
        assert lease.check() == 1
        found = bucket.get_json(lease_key("prod"))
        assert found is not None
        taken = {**found[0], "fence": 9, "nonce": "another"}
        bucket.put_json(lease_key("prod"), taken)
        assert lease.lost.wait(30)
        with pytest.raises(LeaseLost):
            lease.check()
    left = bucket.get_json(lease_key("prod"))
    assert left is not None
    assert left[0] == taken


def test_a_renewal_whose_answer_was_lost_is_recognised_as_our_own() -> None:
    bucket = MemoryBucket()
    lease = Lease.acquire(bucket, "prod", "a", ttl=0.3)
    found = bucket.get_json(lease_key("prod"))
    assert found is not None
    bucket.put_json(lease_key("prod"), {**found[0], "heartbeat": bucket.now + 0.01})
    time.sleep(0.5)
    assert not lease.lost.is_set()
    lease.release()
    assert read_lease(bucket, "prod") is None


def test_waiting_takes_it_as_soon_as_it_is_free(s3: S3) -> None:
    name = s3.bucket().name
    first = Lease.acquire(s3.bucket(name), "prod", "a")
    threading.Timer(0.7, first.release).start()
    with Lease.acquire(s3.bucket(name), "prod", "b", wait_seconds=10) as second:
        assert second.fence == 2


def test_of_many_that_race_exactly_one_wins(s3: S3) -> None:
    name = s3.bucket().name
    held: list[int] = []
    for _ in range(5):
        gate = threading.Barrier(6)

        def race(number: int, gate: threading.Barrier = gate) -> Lease | None:
            bucket = s3.bucket(name)
            gate.wait()
            try:
                return Lease.acquire(bucket, "prod", f"racer {number}")
            except LeaseHeld:
                return None

        with ThreadPoolExecutor(6) as pool:
            won = [lease for lease in pool.map(race, range(6)) if lease]
        assert len(won) == 1
        held.append(won[0].fence)
        won[0].release()
    assert held == [1, 2, 3, 4, 5]


def test_exploit_a_deleted_lease_repeats_no_fence():
    """A command had not yet written the head when its lease was deleted: the next one got its fence too."""
    bucket = MemoryBucket()
    with Lease.acquire(bucket, "s", "first") as first:
        Ledger(bucket, "s", lease=first).claim()
    bucket.now += 60
    killed = Lease.acquire(bucket, "s", "killed before it claimed")
    del bucket.objects["stacks/s/lease.json"]
    second = Lease.acquire(bucket, "s", "second")
    del bucket.objects["stacks/s/lease.json"]
    bucket.now += 0.01
    third = Lease.acquire(bucket, "s", "third")
    assert first.fence < killed.fence < second.fence < third.fence
    for each in (killed, second, third):
        each.release()
