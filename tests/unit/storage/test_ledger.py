"""The ledger's records of releases and rollbacks, and the audit trail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slipway.settings import BadInput
from slipway.storage.lease import Lease, LeaseLost
from slipway.storage.ledger import Ledger
from slipway.storage.records import Release
from tests.s3 import S3
from tests.unit.storage.memory import MemoryBucket

SECRET = "canary-4711"


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    bucket = MemoryBucket()
    with Lease.acquire(bucket, "prod", "ana@desk") as lease:
        yield Ledger(
            bucket, "prod", lease=lease, actor="ana@desk", redact=lambda text: text.replace(SECRET, "***")
        )


def ship(ledger: Ledger, build: str = "b1", contracts: tuple[str, ...] = ()) -> Release:
    release = ledger.create(kind="release", build=build, config="c1", contracts=contracts)
    for phase in ("migrate", "stage", "switch"):
        ledger.event(release.number, phase, "started")
        ledger.event(release.number, phase, "done")
    ledger.promote(release.number)
    ledger.event(release.number, "promote", "done")
    return ledger.get(release.number)


def fail(ledger: Ledger, contracts: tuple[str, ...] = (), reached: str = "boot") -> Release:
    release = ledger.create(kind="release", build="bad", config="c1", contracts=contracts)
    ledger.event(release.number, reached, "started")
    ledger.event(release.number, reached, "failed")
    ledger.end(release.number, "undone")
    return ledger.get(release.number)


def go_back(ledger: Ledger, target: int) -> None:
    record = ledger.create(kind="rollback", build="b", config="c", target=target)
    ledger.event(record.number, "switch", "done")
    ledger.roll_back(target, record=record.number)
    ledger.event(record.number, "promote", "done")


def test_an_empty_ledger_has_nothing(ledger: Ledger) -> None:
    assert ledger.live() is None
    assert ledger.last_known_good() is None
    assert ledger.previous_good(1) is None
    assert ledger.unfinished() is None
    assert ledger.history() == []
    with pytest.raises(BadInput, match="no release 3"):
        ledger.get(3)


def test_a_promoted_release_is_live_and_last_known_good(ledger: Ledger) -> None:
    assert ship(ledger).status == "promoted"
    second = ship(ledger)
    assert ledger.live() == ledger.last_known_good() == second
    previous = ledger.previous_good(second.number)
    assert previous is not None
    assert previous.number == 1


def test_a_failed_release_leaves_the_head_and_takes_a_number(ledger: Ledger) -> None:
    ship(ledger)
    assert (fail(ledger).number, fail(ledger).status) == (2, "undone")
    assert ship(ledger).number == 4
    previous = ledger.previous_good(4)
    assert previous is not None
    assert previous.number == 1


def test_a_rollback_never_goes_to_what_was_rolled_back_from(ledger: Ledger) -> None:
    ship(ledger)
    ship(ledger)
    ship(ledger)
    go_back(ledger, 2)
    assert ledger.get(3).status == "rolled_back"
    assert ledger.head().live == 2
    assert (good := ledger.previous_good(2)) is not None
    assert good.number == 1
    after = ship(ledger)
    assert after.number == 5
    assert (good := ledger.previous_good(5)) is not None
    assert good.number == 2


def test_a_release_returned_to_on_purpose_is_good_again(ledger: Ledger) -> None:
    ship(ledger)
    ship(ledger)
    go_back(ledger, 1)
    go_back(ledger, 2)
    assert ledger.get(2).status == "promoted"
    assert ledger.get(1).status == "promoted"
    assert ledger.head().live == 2


def test_history_is_newest_first_and_bounded(ledger: Ledger) -> None:
    for _ in range(12):
        fail(ledger)
    ship(ledger)
    assert [(r.number, r.status) for r in ledger.history(2)] == [(13, "promoted"), (12, "undone")]
    assert len(ledger.history(100)) == 13


def test_a_killed_release_is_found_with_the_phases_it_had_done(ledger: Ledger) -> None:
    ship(ledger)
    release = ledger.create(kind="release", build="b2", config="c1")
    ledger.event(release.number, "stage", "done")
    ledger.event(release.number, "boot", "started")
    found = ledger.unfinished()
    assert found is not None
    assert (found.number, found.status, found.progress.done) == (2, "pending", ("stage",))
    ledger.end(2, "undone")
    assert ledger.unfinished() is None


def test_a_failed_release_is_unfinished_until_its_undo_has_ended(ledger: Ledger) -> None:
    release = ledger.create(kind="release", build="b2", config="c1")
    ledger.event(release.number, "smoke", "failed")
    ledger.event(release.number, "stage", "undone")
    found = ledger.unfinished()
    assert found is not None
    assert found.number == release.number


def test_a_promotion_killed_before_its_event_is_a_promotion(ledger: Ledger) -> None:
    release = ledger.create(kind="release", build="b1", config="c1")
    ledger.event(release.number, "switch", "done")
    ledger.promote(release.number)
    assert ledger.unfinished() is None
    assert ledger.get(release.number).status == "promoted"


def test_contract_migrations_bar_even_if_the_release_that_applied_them_failed(ledger: Ledger) -> None:
    ship(ledger, contracts=("001_a",))
    fail(ledger, contracts=("001_a", "002_b"), reached="preflight")
    assert ledger.contracts_since(1) == []
    fail(ledger, contracts=("001_a", "002_b"), reached="migrate")
    assert ledger.contracts_since(1) == ["002_b"]


def test_the_trail_has_actor_and_fence_and_no_secret_values(ledger: Ledger) -> None:
    release = ship(ledger)
    ledger.event(release.number, "note", "done", {"reason": f"URL {SECRET}", "list": [{"a": SECRET}], "n": 3})
    trail = ledger.events(release.number)
    assert {(event.actor, event.fence) for event in trail} == {("ana@desk", 1)}
    assert trail[-1].detail == {"reason": "URL ***", "list": [{"a": "***"}], "n": 3}


def test_nothing_is_written_without_the_lease() -> None:
    with pytest.raises(LeaseLost):
        Ledger(MemoryBucket(), "prod").create(kind="release", build="b", config="c")


@pytest.mark.parametrize("knows", [True, False])
def test_a_command_that_lost_its_lease_can_write_nothing_more(
    knows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = MemoryBucket()
    if not knows:  # its clock deceives it
        monkeypatch.setattr(Lease, "check", Lease.fence.fget)
    old = Ledger(bucket, "prod", lease=Lease.acquire(bucket, "prod", "a"))
    release = old.create(kind="release", build="b1", config="c1")
    bucket.now += 60
    with Lease.acquire(bucket, "prod", "b") as lease:
        new = Ledger(bucket, "prod", lease=lease)
        new.end(release.number, "undone")
        before = dict(bucket.objects)
        for write in (
            lambda: old.event(release.number, "switch", "done"),
            lambda: old.promote(release.number),
            lambda: old.create(kind="release", build="b2", config="c1"),
        ):
            with pytest.raises(LeaseLost):
                write()
        assert bucket.objects == before


def test_looking_for_what_was_left_shuts_out_the_command_that_left_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = MemoryBucket()
    monkeypatch.setattr(Lease, "check", Lease.fence.fget)
    old = Ledger(bucket, "prod", lease=Lease.acquire(bucket, "prod", "a"))
    release = old.create(kind="release", build="b1", config="c1")
    bucket.now += 60
    with Lease.acquire(bucket, "prod", "b") as lease:
        assert Ledger(bucket, "prod", lease=lease).unfinished() == release
        with pytest.raises(LeaseLost):
            old.promote(release.number)


def test_the_same_on_a_real_server(s3: S3) -> None:
    bucket = s3.bucket()
    with Lease.acquire(bucket, "prod", "ana@desk") as lease:
        real = Ledger(bucket, "prod", lease=lease)
        ship(real)
        ship(real)
        go_back(real, 1)
    reading = Ledger(s3.bucket(bucket.name), "prod")
    assert [(r.number, r.kind, r.status) for r in reading.history()] == [
        (3, "rollback", "promoted"),
        (2, "release", "rolled_back"),
        (1, "release", "promoted"),
    ]


def test_two_builds_of_one_commit_with_changes_differ_in_the_history(ledger: Ledger):
    sha = "0123456789abcdef"
    for build, dirty in (("b1a2b3c4d5e6", True), ("b9f8e7d6c5b4", True), ("b000000000000", False)):
        ledger.create(kind="release", build=build, config="c1", git_sha=sha, dirty=dirty)
    assert [each.source for each in ledger.history(3)] == ["0123456789", "0123456789+9f8e", "0123456789+1a2b"]
