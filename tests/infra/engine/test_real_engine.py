"""With the CLI: what was judged is what is done, and nothing that holds data goes without an approval."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta

import pytest

from slipway.platforms.pulumi.approval import approve, ensure_key, key_file, line_for
from slipway.platforms.pulumi.drift import drift
from slipway.platforms.pulumi.up import up
from slipway.progress import Silent
from slipway.settings import BadInput, SlipwayError
from tests.infra.engine.conftest import World

pytestmark = pytest.mark.timeout(300)


def test_up_makes_what_is_wanted_and_again_changes_nothing(world: World) -> None:
    world.want(data={"kind": "Fleet"}, note={"text": "one"})
    outputs = up(world.project, Silent())
    first = {path.name: path.stat().st_mtime_ns for path in world.cloud.glob("*-??????.json")}
    assert outputs.url == "https://localhost"
    assert set(world.there()) == {"data", "note"}
    up(world.project, Silent())
    assert {path.name: path.stat().st_mtime_ns for path in world.cloud.glob("*-??????.json")} == first
    assert world.locks() == []
    assert world.current_stack() == "", "a bare `pulumi destroy` must not have got a target"


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


def test_unprotecting_and_replacing_in_one_update_is_refused(world: World) -> None:
    world.want(data={"kind": "Note", "protect": True})
    up(world.project, Silent())
    world.want(data={"kind": "Note", "version": 2})
    with pytest.raises(BadInput, match="would destroy") as refused:
        up(world.project, Silent())
    assert "lose its protection" in refused.value.details[0]
    world.want(data={"kind": "Note"})
    up(world.project, Silent())
    world.want(data={"kind": "Note", "version": 2})
    up(world.project, Silent())
    assert world.there()["data"]["version"] == 2


def test_an_approval_lets_its_plan_through_and_no_other(world: World) -> None:
    world.want(data={"kind": "Fleet"})
    up(world.project, Silent())
    world.want(data={"kind": "Fleet", "version": 2})
    urn = _refused(world)[0].split()[1].rstrip(":")
    hour = timedelta(hours=1)
    with pytest.raises(BadInput, match="no file approvers is committed"):
        approve(world.project, [urn], lasts=hour, reason="moved", progress=Silent())
    approvers = world.project.root / "approvers"
    approvers.write_text(line_for("alice@example.com", ensure_key(key_file())) + "\n")
    with pytest.raises(BadInput, match="no file approvers is committed"):
        approve(world.project, [urn], lasts=hour, reason="moved", progress=Silent())
    world.commit()
    approve(world.project, [urn], lasts=hour, reason="moved", progress=Silent())

    world.want(data={"kind": "Fleet", "version": 3})
    assert "another plan" in _refused(world)[-1]

    world.want(data={"kind": "Fleet", "version": 2})
    up(world.project, Silent())
    assert world.there()["data"]["version"] == 2


def test_a_secret_is_not_in_the_state_and_not_in_what_is_told(world: World) -> None:
    world.want(key={"secret": "canary-81c4e0"})
    up(world.project, Silent())
    held = b"".join(path.read_bytes() for path in world.state.rglob("*") if path.is_file())
    assert b"world-test" in held
    assert b"canary-81c4e0" not in held
    world.file("key").write_text(json.dumps({**world.there()["key"], "text": "canary-other"}))
    found = drift(world.project, Silent())
    assert [(each.severity, each.name) for each in found] == [("high", "key")]
    assert "canary" not in repr(found)


def test_drift_is_found_and_changes_nothing(world: World) -> None:
    world.want(data={"kind": "Fleet"}, note={"text": "one"})
    up(world.project, Silent())
    assert drift(world.project, Silent()) == []
    world.file("note").write_text(json.dumps({**world.there()["note"], "text": "by hand"}))
    world.file("data").unlink()
    for _ in range(2):
        found = [(each.severity, each.name, each.was, each.found) for each in drift(world.project, Silent())]
        assert found == [("high", "data", "there", "gone"), ("medium", "note", "one", "by hand")]
    up(world.project, Silent())
    assert world.there()["note"]["text"] == "one"


def test_a_failed_step_is_told_and_the_next_up_goes_on(world: World) -> None:
    world.want(good={}, bad={"fail": "quota exceeded"})
    with pytest.raises(SlipwayError, match="the update failed") as failed:
        up(world.project, Silent())
    assert any("quota exceeded" in line for line in failed.value.details)
    world.want(good={}, bad={})
    up(world.project, Silent())
    assert set(world.there()) == {"good", "bad"}


def test_what_is_missing_is_told_before_anything_is_made(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.want(note={})
    with pytest.raises(BadInput, match="holds no stack test"):
        drift(world.project, Silent())
    up(world.project, Silent())
    world.want(note={}, more={})
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    with pytest.raises(BadInput, match="passphrase is wrong"):
        up(world.project, Silent())
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    with pytest.raises(BadInput, match="passphrase is not given"):
        up(world.project, Silent())
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    monkeypatch.delenv("PULUMI_ACCESS_TOKEN", raising=False)
    with pytest.raises(BadInput, match="not logged in"):
        up(world.project, Silent())
    assert set(world.there()) == {"note"}


def test_destroy_leaves_nothing(world: World) -> None:
    world.want(data={"kind": "Fleet"}, note={})
    up(world.project, Silent())
    subprocess.run(
        ["pulumi", "destroy", "--stack", "test", "--yes", "--non-interactive"],
        cwd=world.project.root,
        check=True,
        capture_output=True,
    )
    assert world.there() == {}


def _refused(world: World) -> tuple[str, ...]:
    with pytest.raises(BadInput, match="would destroy") as refused:
        up(world.project, Silent())
    return refused.value.details
