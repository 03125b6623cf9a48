"""What new hosts start: boot documents, written before the head moves and restored if it cannot."""

import base64
import json
import zlib
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hosts.agent.boot_document import BootDocument
from slipway.fleet.agent import Order
from slipway.release.promote import PLAIN_BYTES, Promote, boot_document, nothing_live
from slipway.settings import SlipwayError
from tests.unit.release.conftest import Ledger, World

ENV = {"web": {"DATABASE_URL": "postgres://x", "SECRET": "s3cret"}, "task": {}}


class FakeManifest:
    def model_dump(self, *, mode: str, include: set[str]) -> dict[str, Any]:
        assert mode == "json"
        return cast("dict[str, Any]", {key: {} for key in include - {"layers"}}) | {"layers": []}


def document(**more: Any) -> str:
    release = SimpleNamespace(number=5, build="b5", config="c5")
    given: dict[str, Any] = {
        "order": Order(9, 3),
        "hold_seconds": 60,
        "site": "x",
        "secret_names": ["SECRET"],
    }
    given |= {"env": ENV, **more}
    return boot_document("web", cast("Any", release), cast("Any", FakeManifest()), **given)


def test_the_agent_reads_what_the_pipeline_writes():
    read = BootDocument.parse(document())
    assert (read.role, read.order, read.release, read.hold_seconds) == ("web", (9, 3), 5, 60)
    assert read.stage.raw["env"] == ENV
    assert BootDocument.parse(nothing_live("web", order=Order(9, 3))).release == 0


def test_a_large_document_is_packed_and_read_all_the_same():
    text = document(env={"web": {"BIG": "x" * PLAIN_BYTES}})
    assert len(text) < PLAIN_BYTES
    assert json.loads(zlib.decompress(base64.b64decode(text.removeprefix("zlib:"))))["fence"] == 9
    assert BootDocument.parse(text).release == 5


def test_documents_name_the_release_before_the_head_moves(world: World):
    world.last(Promote).run(world.rollout)
    assert (world.documents, world.ledger.live) == ([5], 5)


def test_documents_are_restored_if_the_head_cannot_move(world: World, monkeypatch: pytest.MonkeyPatch):
    def out_of_reach(*_: object, **__: object) -> None:
        assert world.documents == [5]
        raise SlipwayError("the bucket does not answer")

    monkeypatch.setattr(Ledger, "promote", out_of_reach)
    with pytest.raises(SlipwayError, match="does not answer"):
        world.last(Promote).run(world.rollout)
    assert world.documents == [5, 4]
