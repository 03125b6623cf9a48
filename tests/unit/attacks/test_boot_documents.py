"""A command that lost its lease and goes on, with the real lease and the real ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from slipway.release import promote
from slipway.release.migrate import Schema
from slipway.release.promote import Promote
from slipway.release.rollout import Shipment
from slipway.settings import Role
from slipway.storage.lease import Lease, LeaseLost
from slipway.storage.ledger import Ledger
from slipway.storage.records import Head, Release
from tests.unit.release.conftest import World
from tests.unit.storage.memory import MemoryBucket


class LateWorld:
    """Releases 1 to 3 in a real ledger; new hosts start what `boots` says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bucket = MemoryBucket()
        self.boots, self.order = 0, (0, 0)
        self.base = World()
        vars(self.base.stack)["write_boot_documents"] = self._write
        vars(self.base.stack)["config_version"] = "c"

        def number_of(_: Role, live: Shipment, **named: object) -> str:
            del named
            return str(live.number)

        def unsigned(_: object, document: str) -> str:
            return document

        def nothing(*_: object) -> list[str]:
            return []

        monkeypatch.setattr(promote, "boot_document", number_of)
        monkeypatch.setattr(promote, "signed_text", unsigned)
        monkeypatch.setattr(promote, "env_of", nothing)
        monkeypatch.setattr(promote, "secret_names", nothing)

    def _write(self, documents: Mapping[Role, str], order: tuple[int, int]) -> None:
        """As on AWS (tests/infra/platform/test_secret_store.py), where a write depends on the fence."""
        if order < self.order:
            raise LeaseLost("a newer command decides what new hosts start")
        self.boots, self.order = int(documents["web"]), order

    def holder(self, name: str, **given: Any) -> tuple[Lease, Ledger]:
        lease = Lease.acquire(self.bucket, "s", name, **given)
        return lease, Ledger(self.bucket, "s", lease=lease, actor=name)

    def promote(
        self,
        lease: Lease,
        ledger: Ledger,
        number: int,
        head: Head | None = None,
        release: Release | None = None,
    ) -> None:
        manifest: Any = SimpleNamespace(schema_head="7", as_declared=lambda app: app)  # pyright: ignore
        shipment = Shipment(release or ledger.get(number), lambda: manifest)
        head = head or ledger.head()
        rollout = replace(self.base.rollout, lease=lease, ledger=ledger, head=head)
        vars(rollout.stack)["app"] = cast("Any", rollout.app)
        Promote(shipment, Schema("7", {})).run(rollout)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> LateWorld:
    return LateWorld(monkeypatch)


def shipped(late: LateWorld, lease: Lease, ledger: Ledger) -> int:
    number = ledger.create(kind="release", build="b", config="c").number
    late.promote(lease, ledger, number)
    return number


def test_a_holder_that_lost_its_lease_overwrites_no_boot_document(late: LateWorld):
    """It did: the head stayed at the newer release, and new hosts started the older one."""
    first, ledger = late.holder("first", yields=True)
    assert shipped(late, first, ledger) == 1
    slow = ledger.create(kind="release", build="b", config="c").number
    newer, theirs = late.holder("newer", preempts=True)
    assert shipped(late, newer, theirs) == 3
    assert (late.boots, theirs.head().live) == (3, 3)
    with pytest.raises(LeaseLost):
        late.promote(first, ledger, slow)
    assert (late.boots, theirs.head().live) == (3, 3)
    newer.release()
    first.release()


def test_a_command_that_knows_its_loss_writes_nothing(late: LateWorld):
    first, ledger = late.holder("first")
    number = ledger.create(kind="release", build="b", config="c").number
    head, release = ledger.head(), ledger.get(number)
    first.lost.set()
    with pytest.raises(LeaseLost):
        late.promote(first, ledger, number, head=head, release=release)
    assert late.boots == 0


def test_nothing_is_restored_after_the_lease_was_lost(late: LateWorld, monkeypatch: pytest.MonkeyPatch):
    """The loss is noticed only by the write of the head, when the newer command has its documents there."""
    first, ledger = late.holder("first", yields=True)
    assert shipped(late, first, ledger) == 1
    slow = ledger.create(kind="release", build="b", config="c").number
    move = Ledger.promote

    def meanwhile(this: Ledger, number: int, **given: Any) -> Any:
        if number == slow:
            newer, theirs = late.holder("newer", preempts=True)
            shipped(late, newer, theirs)
            newer.release()
        return move(this, number, **given)

    monkeypatch.setattr(Ledger, "promote", meanwhile)
    with pytest.raises(LeaseLost):
        late.promote(first, ledger, slow)
    assert (late.boots, ledger.head().live) == (3, 3)
    first.release()
