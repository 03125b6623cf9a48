"""What the doctor says of a stack's ledger."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from slipway.doctor import stack
from slipway.fleet.replies import Slot, Status
from slipway.storage.lease import Lease
from slipway.storage.ledger import Ledger
from tests.unit.storage.memory import MemoryBucket

HEAD = "stacks/prod/head.json"


@pytest.fixture
def bucket() -> MemoryBucket:
    """Release 1 is live."""
    made = MemoryBucket()
    with Lease.acquire(made, "prod", "ana@desk") as lease:
        ledger = Ledger(made, "prod", lease=lease)
        ledger.create(kind="release", build="b1", config="c")
        ledger.promote(1)
        ledger.event(1, "promote", "done")
    return made


def said(bucket: MemoryBucket, serving: int | None = 1) -> list[tuple[str, str, str]]:
    slots = {"blue": Slot(state="live", release=serving)} if serving else {}
    status = Status(role="web", active="blue" if serving else None, slots=slots)
    opened: Any = SimpleNamespace(
        outputs=SimpleNamespace(stack="prod"), bucket=bucket, statuses=lambda: {"web1": status}
    )
    return [(found.level, found.what, found.remedy) for found in stack.ledger(opened)]


def test_a_whole_ledger_whose_release_is_live_is_fine(bucket: MemoryBucket):
    assert [level for level, _, _ in said(bucket)] == ["ok"]
    assert [level for level, _, _ in said(MemoryBucket(), serving=None)] == ["ok"]


def test_a_damaged_object_is_named_with_the_repair(bucket: MemoryBucket):
    bucket.objects[HEAD] = bucket.objects[HEAD][:10]
    [(level, what, remedy)] = said(bucket)
    assert (level, remedy) == ("fail", "slipway ledger repair --stack prod")
    assert HEAD in what


def test_a_ledger_that_is_gone_beside_hosts_that_serve_is_no_empty_stack(bucket: MemoryBucket):
    bucket.objects.clear()
    [(level, what, remedy)] = said(bucket)
    assert level == "fail"
    assert "web1 serves release 1" in what
    assert "ledger repair" in remedy


def test_a_host_that_serves_another_release_is_named(bucket: MemoryBucket):
    [(level, what, remedy)] = said(bucket, serving=7)
    assert level == "fail"
    assert "the ledger names release 1 as live, but web1 serves release 7" in what
    assert "slipway status" in remedy


def test_a_release_that_was_left_unfinished_is_named(bucket: MemoryBucket):
    with Lease.acquire(bucket, "prod", "ana@desk") as lease:
        Ledger(bucket, "prod", lease=lease).create(kind="release", build="b2", config="c")
        assert said(bucket) == [], "a command is at work on it"
    [(level, what, _)] = said(bucket)
    assert level == "fail"
    assert "release 2 was left unfinished" in what
