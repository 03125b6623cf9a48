"""Whatever is killed, paused or overtaken at whichever request: one head, no gap, no twin, growing fences."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Literal

from hypothesis import given, settings, strategies as st

from slipway.storage.lease import Lease, LeaseLost
from slipway.storage.ledger import Ledger
from slipway.storage.records import Event, Head, Progress
from tests.unit.storage.memory import Killed, MemoryBucket

Work = Literal["ship", "fail", "rollback"]
WORK = st.sampled_from(["ship", "fail", "rollback"])
HIT = st.one_of(st.none(), st.tuples(st.integers(0, 45), st.booleans()))


def command(bucket: MemoryBucket, work: Work) -> None:
    """A command as the pipeline runs it: take the lease, recover, work, release."""
    bucket.now += 60  # whoever was killed has expired
    with Lease.acquire(bucket, "prod", "a", ttl=30) as lease:
        ledger = Ledger(bucket, "prod", lease=lease, actor="a")
        recover(ledger)
        if work == "rollback":
            live = ledger.head().live
            target = ledger.previous_good(live) if live else None
            if target:
                record = ledger.create(kind="rollback", build="b", config="c", target=target.number)
                ledger.event(record.number, "switch", "done")
                ledger.roll_back(target.number, record=record.number)
                ledger.event(record.number, "promote", "done")
            return
        release = ledger.create(kind="release", build="b", config="c")
        ledger.event(release.number, "switch", "done")
        if work == "fail":
            ledger.event(release.number, "observe", "failed")
            ledger.end(release.number, "undone")
            return
        ledger.promote(release.number)
        ledger.event(release.number, "promote", "done")


def recover(ledger: Ledger) -> None:
    while (left := ledger.unfinished()) is not None:
        if left.kind == "rollback" and left.target:
            ledger.roll_back(left.target, record=left.number)
            ledger.event(left.number, "promote", "done")
        else:
            ledger.end(left.number, "undone")


def run(bucket: MemoryBucket, work: Work) -> None:
    with suppress(Killed, LeaseLost):
        command(bucket, work)
    bucket.calm()


def assert_sound(bucket: MemoryBucket) -> None:
    numbers = sorted(
        int(found.group(1))
        for key in bucket.objects
        if (found := re.fullmatch(r"stacks/prod/releases/(\d+)\.json", key))
    )
    assert numbers == list(range(1, len(numbers) + 1))
    assert_fences_only_grow(bucket)
    reading = Ledger(bucket, "prod")
    for number in numbers:
        assert_trail_is_sound(bucket, number)
    head: Head = reading.head()
    if head.live is not None:
        live = reading.get(head.live)
        assert live.was_promoted or live.number == head.last_known_good
        assert live.kind == "release"
        previous = reading.previous_good(head.live)
        assert previous is None or (previous.is_good and previous.number < head.live)


def assert_fences_only_grow(bucket: MemoryBucket) -> None:
    leases = [(obj["fence"], obj["nonce"]) for key, obj in bucket.written if key.endswith("lease.json")]
    assert leases == sorted(leases, key=lambda lease: lease[0])
    assert len({fence for fence, _ in leases}) == len(set(leases))  # no two holders under one fence
    heads = [obj["fence"] for key, obj in bucket.written if key.endswith("head.json")]
    assert heads == sorted(heads)


def assert_trail_is_sound(bucket: MemoryBucket, number: int) -> None:
    keys = sorted(key for key in bucket.objects if key.startswith(f"stacks/prod/releases/{number:08d}/"))
    assert [int(key[-9:-5]) for key in keys] == list(range(1, len(keys) + 1))
    progress, fence = Progress(), 0
    for key in keys:
        event = Event.model_validate_json(bucket.objects[key])
        progress = progress.after(event.phase, event.event)
        assert event.progress == progress
        assert event.fence >= fence
        fence = event.fence


def assert_the_next_command_repairs_it(bucket: MemoryBucket) -> None:
    command(bucket, "ship")
    assert_sound(bucket)
    ledger = Ledger(bucket, "prod")
    assert ledger.unfinished() is None
    newest = ledger.history(1)[0]
    assert (newest.status, ledger.head().live) == ("promoted", newest.number)


@settings(max_examples=150)
@given(st.lists(st.tuples(WORK, HIT), max_size=7))
def test_commands_killed_anywhere_leave_a_sound_ledger(
    story: list[tuple[Work, tuple[int, bool] | None]],
) -> None:
    bucket = MemoryBucket()
    for work, hit in story:
        if hit:
            bucket.strike_at(hit[0], after=hit[1], strike=bucket.kill)
        run(bucket, work)
        assert_sound(bucket)
    assert_the_next_command_repairs_it(bucket)


@settings(max_examples=150)
@given(st.lists(WORK, max_size=3), WORK, WORK, st.integers(0, 45), st.booleans())
def test_a_paused_command_that_was_overtaken_does_no_harm(
    before: list[Work], paused: Work, other: Work, request: int, after: bool
) -> None:
    bucket = MemoryBucket()
    for work in before:
        run(bucket, work)
    bucket.strike_at(request, after=after, strike=lambda: command(bucket, other))
    run(bucket, paused)
    assert_sound(bucket)
    assert_the_next_command_repairs_it(bucket)
