"""A ledger that was damaged is read with a clear error, and repaired from its other objects and the hosts."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from slipway.settings import LeaseHeld
from slipway.storage.bucket import Damaged
from slipway.storage.hold import hold_key, read_holds
from slipway.storage.lease import Lease, lease_key, read_lease
from slipway.storage.ledger import Ledger
from slipway.storage.repair import OnHosts, Rebuild, free_lease, needs_repair
from slipway.storage.survey import survey
from tests.unit.storage.memory import MemoryBucket

HEAD = "stacks/prod/head.json"
RECORD = "stacks/prod/releases/00000003.json"
SERVING = {"web1": 3, "web2": 3}
HELD = {3: ("b3", "c1"), 2: ("b2", "c1")}
HOSTS = OnHosts(fence=7, held=HELD, serving=SERVING)


@pytest.fixture
def bucket() -> MemoryBucket:
    """Releases 1 to 3 were promoted, each with its migration; 3 is live."""
    made = MemoryBucket()
    for number in (1, 2, 3):
        with Lease.acquire(made, "prod", "ana@desk") as lease:
            ledger = Ledger(made, "prod", lease=lease, actor="ana@desk")
            ledger.create(kind="release", build=f"b{number}", config="c1", schema_head=f"000{number}")
            for phase in ("migrate", "switch"):
                ledger.event(number, phase, "done")
            ledger.promote(number, schema_head=f"000{number}")
            ledger.event(number, "promote", "done")
    return made


def reading(bucket: MemoryBucket) -> Ledger:
    return Ledger(bucket, "prod")


def newest_event(bucket: MemoryBucket, number: int) -> str:
    return max(key for key in bucket.objects if f"{number:08d}/events/" in key)


def repair(bucket: MemoryBucket, hosts: OnHosts = HOSTS) -> list[str]:
    found = survey(bucket, "prod")
    assert needs_repair(found, hosts)
    done = free_lease(bucket, found, hosts)
    with Lease.acquire(bucket, "prod", "ana@desk") as lease:

        def describe(build: str) -> Mapping[str, object]:
            return {"schema_head": f"000{build[1:]}"}

        done += Rebuild(bucket, lease, survey(bucket, "prod"), hosts, describe).run()
    assert not needs_repair(survey(bucket, "prod"), hosts)
    return done


DAMAGES = {"truncated": b'{"live": 3, "last_kn', "empty": b"", "garbled": b"\xff\x00\xfe", "other": b"[1]"}


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("key", [HEAD, RECORD, "event", lease_key("prod")])
def test_a_damaged_object_is_named_with_its_remedy_and_then_repaired(
    bucket: MemoryBucket, key: str, content: bytes
):
    key = newest_event(bucket, 3) if key == "event" else key
    bucket.objects[key] = content
    with pytest.raises(Damaged) as refused:
        reading(bucket).live()
        read_lease(bucket, "prod")
    assert key in refused.value.message
    assert "slipway ledger repair --stack prod" in refused.value.remedy
    assert refused.value.exit_code == 4
    assert repair(bucket)
    live = reading(bucket).live()
    assert live is not None
    assert (live.number, live.build, live.status, live.schema_head) == (3, "b3", "promoted", "0003")
    assert content in bucket.objects.values(), "what was damaged is kept for a person to look at"


@pytest.mark.parametrize("key", [HEAD, RECORD, "event", lease_key("prod")])
def test_wrong_fields_are_damage_too(bucket: MemoryBucket, key: str):
    key = newest_event(bucket, 3) if key == "event" else key
    bucket.objects[key] = json.dumps({"live": "three", "fence": "x"}).encode()
    with pytest.raises(Damaged, match="wrong or missing"):
        reading(bucket).live()
        read_lease(bucket, "prod")
    assert repair(bucket)


def test_a_deleted_head_is_not_an_empty_stack(bucket: MemoryBucket):
    del bucket.objects[HEAD]
    with pytest.raises(Damaged, match="is missing, although the stack has releases"):
        reading(bucket).head()
    with Lease.acquire(bucket, "prod", "a") as lease, pytest.raises(Damaged):
        Ledger(bucket, "prod", lease=lease).create(kind="release", build="b", config="c")
    said = repair(bucket)
    assert any("it names release 3 as live (schema 0003; web hosts serve 3)" in line for line in said)
    head = reading(bucket).head()
    assert (head.live, head.last_known_good, head.schema_head, head.newest) == (3, 3, "0003", 3)


def test_a_rebuilt_head_follows_a_rollback(bucket: MemoryBucket):
    with Lease.acquire(bucket, "prod", "a") as lease:
        ledger = Ledger(bucket, "prod", lease=lease)
        record = ledger.create(kind="rollback", build="b2", config="c1", target=2)
        ledger.roll_back(2, record=record.number)
        ledger.event(record.number, "promote", "done")
    before = reading(bucket).head()
    del bucket.objects[HEAD]
    repair(bucket, OnHosts(fence=4, held=HELD, serving={"web1": 2}))
    after = reading(bucket).head()
    assert (after.live, after.schema_head) == (before.live, before.schema_head) == (2, "0003")


def test_a_release_under_way_is_not_taken_for_the_live_one(bucket: MemoryBucket):
    """Hosts serve 4, which was switched to and not promoted: the next command undoes it."""
    with Lease.acquire(bucket, "prod", "a") as lease:
        ledger = Ledger(bucket, "prod", lease=lease)
        ledger.create(kind="release", build="b4", config="c1")
        ledger.event(4, "switch", "done")
    del bucket.objects[HEAD]
    repair(bucket, OnHosts(fence=4, held={**HELD, 4: ("b4", "c1")}, serving={"web1": 4, "web2": 4}))
    ledger = reading(bucket)
    assert ledger.head().live == 3
    assert (found := ledger.unfinished()) is not None
    assert found.number == 4


def test_a_whole_ledger_that_is_gone_is_rebuilt_from_the_hosts(bucket: MemoryBucket):
    bucket.objects.clear()
    said = repair(bucket)
    live = reading(bucket).live()
    assert live is not None
    assert (live.number, live.build, live.status) == (3, "b3", "promoted")
    assert any("the next fence is 8" in line for line in said), "hosts refuse an older one"
    with Lease.acquire(bucket, "prod", "a") as lease:
        assert lease.fence > HOSTS.fence
        assert Ledger(bucket, "prod", lease=lease).create(kind="release", build="b", config="c").number == 4


def test_a_release_whose_build_is_not_known_any_more_is_never_rolled_back_to(bucket: MemoryBucket):
    bucket.objects["stacks/prod/releases/00000001.json"] = b"?"
    bucket.objects["stacks/prod/releases/00000002.json"] = b"?"
    repair(bucket)
    good = reading(bucket).previous_good(3)
    assert good is not None
    assert good.number == 2, "hosts hold build b2 of release 2; that of release 1 is not known"
    bucket.objects["stacks/prod/releases/00000002.json"] = b"?"
    repair(bucket, OnHosts(fence=7, held={3: ("b3", "c1")}, serving=SERVING))
    assert reading(bucket).previous_good(2) is None


def test_a_lease_that_a_command_holds_is_not_taken_away(bucket: MemoryBucket):
    bucket.objects[HEAD] = b""
    with Lease.acquire(bucket, "prod", "someone"), pytest.raises(LeaseHeld, match="someone"):
        repair(bucket)


def test_a_stack_whose_hold_cannot_be_read_is_held(bucket: MemoryBucket):
    """A person may have frozen it: what is not known is not taken for a yes."""
    bucket.objects[hold_key("prod")] = b'{"person": {"cau'
    with pytest.raises(Damaged, match=r"hold\.json"):
        read_holds(bucket, "prod")
    repair(bucket)
    standing = read_holds(bucket, "prod").standing(3)
    assert [hold.reason for hold in standing] == ["the record of its holds was damaged"]


def test_a_whole_ledger_needs_no_repair(bucket: MemoryBucket):
    assert not needs_repair(survey(bucket, "prod"), HOSTS)
    assert not needs_repair(survey(MemoryBucket(), "prod"), OnHosts())
