"""What new hosts start: boot documents, written before the head moves and restored if it cannot."""

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hosts.agent import signature
from hosts.agent.boot_document import BootDocument
from hosts.agent.host import Paths
from slipway.fleet.agent import Order
from slipway.release import promote
from slipway.release.promote import PLAIN_BYTES, Promote, boot_document, nothing_live
from slipway.release.rollout import Shipment
from slipway.settings import SlipwayError
from tests.unit.release.conftest import Ledger, World

ENV = {"web": {"DATABASE_URL": "postgres://x", "SECRET": "s3cret"}, "task": {}}


class FakeManifest:
    def model_dump(self, *, mode: str) -> dict[str, Any]:
        assert mode == "json"
        return {"layers": [], "processes": {}, "cron": {}, "migrate": {}, "declared": {}}


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], BootDocument]:
    """Reads a document as a host of the stack does, whose signers have signed it."""

    def verifies(*given: object) -> bool:
        return given[2:] == ("signed", "ana", signature.BOOT)

    monkeypatch.setattr(signature, "verifies", verifies)
    host: Any = SimpleNamespace(fleet="s-fleet")
    return lambda text: BootDocument.parse(Paths(str(tmp_path)), host, text)


def signed(document: dict[str, Any]) -> str:
    def sign(content: bytes, namespace: str) -> tuple[str, str]:
        assert (content[:1], namespace) == (b"{", signature.BOOT)
        return "ana", "signed"

    stack = SimpleNamespace(stack=SimpleNamespace(fleet_id="s-fleet"), signing=SimpleNamespace(sign=sign))
    return promote.signed_text(cast("Any", SimpleNamespace(stack=stack)), document)


def document(**more: Any) -> str:
    release = SimpleNamespace(number=5, build="b5", config="c5", ticket=None)
    live = Shipment(cast("Any", release), lambda: cast("Any", FakeManifest()))
    given: dict[str, Any] = {
        "order": Order(9, 3),
        "hold_seconds": 60,
        "site": "x",
        "secret_names": ["SECRET"],
    }
    given |= {"env": ENV, **more}
    return signed(boot_document("web", live, **given))


def test_the_agent_reads_what_the_pipeline_writes(read: Callable[[str], BootDocument]):
    found = read(document())
    assert (found.role, found.order, found.release, found.hold_seconds) == ("web", (9, 3), 5, 60)
    assert found.stage.raw["env"] == ENV
    assert read(signed(nothing_live("web", order=Order(9, 3)))).release == 0


def test_a_large_document_is_packed_and_read_all_the_same(read: Callable[[str], BootDocument]):
    text = document(env={"web": {"BIG": "x" * PLAIN_BYTES}})
    assert len(text) < PLAIN_BYTES
    outer = json.loads(zlib.decompress(base64.b64decode(text.removeprefix("zlib:"))))
    assert json.loads(outer["document"])["fence"] == 9
    assert read(text).release == 5


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
