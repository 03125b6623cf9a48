"""With the CLI: what was judged is what is done, and nothing that holds data goes without an approval."""

from __future__ import annotations

import pytest

from slipway.engine import up
from slipway.errors import BadInput
from slipway.progress import Silent
from tests.infra.engine.conftest import World


def test_up_makes_what_is_wanted_and_again_changes_nothing(world: World) -> None:
    world.want(data={"kind": "Fleet"}, note={"text": "one"})
    outputs = up(world.project, Silent())
    first = {path.name: path.stat().st_mtime_ns for path in world.cloud.glob("*-??????.json")}
    assert outputs.url == "https://localhost"
    assert set(world.there()) == {"data", "note"}
    up(world.project, Silent())
    assert {path.name: path.stat().st_mtime_ns for path in world.cloud.glob("*-??????.json")} == first
    assert world.locks() == []


@pytest.mark.parametrize("change", [{"data": {"kind": "Fleet", "version": 2}}, {}], ids=["replace", "delete"])
def test_what_holds_data_is_not_destroyed_unasked(world: World, change: dict[str, dict[str, object]]) -> None:
    world.want(data={"kind": "Fleet"}, note={"text": "one"})
    up(world.project, Silent())
    world.want(**change, note={"text": "two"})
    with pytest.raises(BadInput, match="would destroy") as refused:
        up(world.project, Silent())
    assert any("the local fleet's database" in line for line in refused.value.details)
    assert "slipway approve --stack test 'urn:pulumi:" in refused.value.remedy
    assert world.there()["data"]["version"] == 1
    assert world.there()["note"]["text"] == "one"
