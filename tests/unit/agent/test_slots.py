"""stage, boot, stop, retire and prune: what they do to the two slots and to the disk."""

import os
import time
from pathlib import Path

import pytest

from hosts.agent import boot, builds, envfile, layers, restore, retire, stage, tree
from hosts.agent.errors import AgentError
from tests.unit.agent.conftest import TICKET, WEB, WORKER, World

ENV = {"web": {"TOKEN": "a-secret-token"}, "migrate": {"OWNER": "owner-secret"}}


def request(release: int, **more: object) -> dict[str, object]:
    manifest: dict[str, object] = {"layers": [], "processes": {"web": WEB, "worker": WORKER}, "cron": {}}
    return {
        "fence": 1,
        "release": release,
        "build": f"b{release}",
        "config": "c",
        "manifest": manifest,
        "env": ENV,
        "ticket": TICKET,
        **more,
    }


def test_stage_takes_the_processes_of_its_role_into_the_idle_slot(world: World):
    assert world.ask(stage.command, **request(1))["slot"] == "blue"
    slot = world.state.slots["blue"]
    assert (slot.state, slot.release, list(slot.processes)) == ("staged", 1, ["web"])
    assert Path(world.paths.unit("slipway-web@blue-1.service")).exists()
    assert Path(world.paths.slot("blue")).resolve() == Path(world.paths.build("b1")).resolve()


def test_a_build_for_another_processor_is_refused_before_anything_is_fetched(world: World):
    manifest: dict[str, object] = {
        "layers": [],
        "processes": {"web": WEB},
        "cron": {},
        "arch": "riscv",
    }
    with pytest.raises(AgentError, match="the build is for riscv, this host's processor is") as refused:
        world.ask(stage.command, **request(1, manifest=manifest))
    assert refused.value.code == "wrong_processor"
    assert world.state.slots["blue"].state == "empty"
    own = {**manifest, "arch": world.host.arch}
    assert world.ask(stage.command, **request(1, manifest=own))["slot"] == "blue"


def test_staging_the_same_again_takes_away_env_that_is_no_longer_asked_for(world: World):
    world.ask(stage.command, **request(1))
    assert envfile.read(world.paths, "blue", "migrate")["OWNER"] == "owner-secret"
    world.systemd.calls.clear()
    world.ask(stage.command, **request(1, env={"web": {"TOKEN": "x"}}))
    assert envfile.read(world.paths, "blue", "migrate") == {}
    assert not [call for call in world.systemd.calls if call[0] == "reload"], "units did not change"


def test_the_old_release_in_the_slot_is_drained_before_the_new_one_comes(world: World):
    world.put("blue", "live", 1, active=True, web=WEB)
    world.put("green", "warm", 2, web=WEB)
    world.ask(stage.command, **request(3))
    assert ("stop", "slipway-*@green-*.service") in world.systemd.calls
    assert world.state.slots["green"].release == 3
    assert "slipway-web@blue-1.service" in world.systemd.running


def test_a_full_disk_is_told_in_numbers_and_leaves_the_warm_release_alone(world: World):
    world.put("blue", "live", 1, active=True, web=WEB)
    world.put("green", "warm", 2, web=WEB)
    big = [{"kind": "app", "digest": "sha256:" + "0" * 64, "size": 10**15, "unpacked_size": 10**15}]
    with pytest.raises(AgentError) as refused:
        world.ask(stage.command, **request(3, manifest={"layers": big, "processes": {"web": WEB}}))
    assert refused.value.code == "disk_full"
    assert refused.value.detail["needs"] == 2 * 10**15 + layers.MARGIN
    assert isinstance(refused.value.detail["has"], int)
    assert world.state.slots["green"].state == "warm"


def test_more_instances_than_haproxy_has_servers_are_refused_before_anything_changes(world: World):
    with pytest.raises(AgentError) as refused:
        world.ask(
            stage.command,
            **request(1, manifest={"layers": [], "processes": {"web": {**WEB, "instances": 2}}}),
        )
    assert refused.value.code == "setup_outdated"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"release": "1"}, "stage.release: must be an integer, got a string"),
        ({"build": "../x"}, "'../x' is not a valid name"),
        ({"manifest": {"processes": {"../x": WEB}}}, "'../x' is not a valid name"),
        ({"manifest": {"processes": {"web": {}}}}, "processes.web.command: must be a string, got nothing"),
        ({"env": {"web": {"TOKEN": 5}}}, "env.web.TOKEN: must be a string, got a number"),
        ({"slot": "red"}, "must be blue or green"),
    ],
)
def test_a_wrong_request_names_the_field_and_never_a_value(world: World, wrong: dict[str, object], says: str):
    with pytest.raises(AgentError) as refused:
        world.ask(stage.command, **{**request(1), **wrong})
    assert refused.value.code == "bad_request"
    assert says.removeprefix("stage.") in refused.value.message
    assert "secret" not in refused.value.message


def test_a_directory_outside_the_build_is_refused(world: World):
    away: dict[str, object] = {"layers": [], "processes": {"web": {**WEB, "directory": "../.."}}}
    with pytest.raises(AgentError, match="leaves the build"):
        world.ask(stage.command, **request(1, manifest=away))


def test_a_process_that_dies_fails_the_boot_at_once_with_its_last_lines(world: World):
    world.ask(stage.command, **request(1))
    world.systemd.dying = {"slipway-web@blue-1.service"}
    with pytest.raises(AgentError) as failed:
        world.ask(boot.command, fence=1, release=1)
    assert (failed.value.code, failed.value.log) == ("crashed", ["the last line"])
    assert world.state.slots["blue"].state == "failed"
    assert "slipway-web@blue-1.service" not in world.systemd.running


def test_stop_empties_a_slot_and_takes_its_secrets_away(world: World):
    world.ask(stage.command, **request(1))
    assert world.ask(retire.stop, fence=1, release=1)["slot"] == "blue"
    assert world.state.slots["blue"].state == "empty"
    assert not Path(f"{world.paths.env}/blue").exists()
    assert world.ask(retire.stop, fence=1, release=1)["slot"] is None


def test_the_live_release_can_be_neither_stopped_nor_retired_nor_staged_over(world: World):
    world.put("blue", "live", 1, active=True, web=WEB)
    for command, asked in (
        (retire.stop, {"release": 1}),
        (retire.command, {"slot": "blue", "now": True}),
        (stage.command, request(2, slot="blue")),
    ):
        with pytest.raises(AgentError) as refused:
            world.ask(command, **{"fence": 1, **asked})
        assert refused.value.code == "is_live"
    assert not [call for call in world.systemd.calls if call[0] == "stop"]


def test_a_warm_slot_is_retired_when_its_time_has_come_and_not_before(world: World):
    world.put("blue", "live", 1, active=True, web=WEB)
    world.put("green", "warm", 2, web=WEB)
    state = world.state
    for retire_at, retired in ((time.time() + 60, []), (time.time() - 1, ["green"])):
        state.slots["green"].retire_at = retire_at
        state.save()
        assert world.ask(retire.command)["slots"] == retired
    assert world.state.slots["green"].state == "empty"


def test_a_drain_that_was_killed_goes_on_at_the_next_look(world: World):
    world.put("blue", "live", 1, active=True, web=WEB)
    world.put("green", "draining", 2, web=WEB)
    assert world.ask(retire.command)["slots"] == ["green"]
    assert world.state.slots["green"].state == "empty"


def test_prune_keeps_what_slots_hold_and_the_newest(world: World):
    hexes = {name: str(number) * 64 for number, name in enumerate(("b1", "b2", "b3"), 1)}
    for age, (name, digest) in enumerate(reversed(hexes.items())):
        Path(world.paths.build(name)).mkdir(parents=True)
        marker = Path(f"{world.paths.build(name)}.layers")
        marker.write_text(f"sha256:{digest}\n")
        os.utime(marker, (1000 - age, 1000 - age))
        Path(world.paths.layer(digest), "root").mkdir(parents=True)
    world.put("blue", "live", 1, active=True, web=WEB)
    answer = world.ask(builds.prune, keep=1)
    assert answer["builds"] == ["b2"]
    assert answer["layers"] == ["sha256:" + "2" * 64]
    left = {path.name for path in Path(world.paths.builds).iterdir()}
    assert left == {"b1", "b1.layers", "b3", "b3.layers"}
    assert not list(Path(world.paths.work).iterdir())


def test_without_secret_names_every_long_value_is_hidden_and_no_app_output_is_kept(world: World):
    world.ask(stage.command, **request(1))
    slot = world.state.slots["blue"]
    assert slot.secret_names == ["OWNER", "TOKEN"]
    assert "a-secret-token" in envfile.secrets(world.paths, slot)
    world.systemd.dying = {"slipway-web@blue-1.service"}
    with pytest.raises(AgentError):
        world.ask(boot.command, fence=1, release=1)
    assert world.state.slots["blue"].error["code"] == "crashed"
    assert "the last line" not in Path(world.paths.state).read_text()


@pytest.fixture
def changed(world: World) -> Path:
    """A file of release 1, which is staged in blue, that someone changed on the host."""
    digest = "sha256:" + "1" * 64
    file = Path(world.paths.layer(digest), "root", "app.js")
    file.parent.mkdir(parents=True)
    file.write_text("code")
    tree.record(str(file.parent), f"{world.paths.layer(digest)}/tree")
    (file.parents[1] / "complete").touch()
    manifest = {"layers": [layer_of(digest)], "processes": {"web": WEB}}
    world.ask(stage.command, **request(1, manifest=manifest))
    kept = Path(world.paths.build("b1"), "app.js")
    kept.unlink()
    kept.write_text("evil")
    return kept


def layer_of(digest: str) -> dict[str, object]:
    return {"kind": "app", "digest": digest, "size": 10_000, "unpacked_size": 10_000}


def test_a_build_that_was_changed_on_the_host_is_not_started(world: World, changed: Path):
    with pytest.raises(
        AgentError, match=r"1 files of build b1 were changed on this host \(app.js\)"
    ) as refused:
        world.ask(boot.command, fence=1, release=1)
    assert refused.value.code == "altered"
    assert world.state.slots["blue"].state == "failed"
    assert not [call for call in world.systemd.calls if call[0] == "start" and "web" in call[1]]


def test_staging_it_again_replaces_what_was_changed_and_says_so(world: World, changed: Path):
    manifest = {"layers": [layer_of("sha256:" + "1" * 64)], "processes": {"web": WEB}}
    answers = [world.ask(stage.command, **request(1, manifest=manifest)) for _ in range(2)]
    assert [answer["altered"] for answer in answers] == [["app.js"], []]
    assert changed.read_text() == "code"


def test_a_warm_build_that_was_changed_is_cold_after_a_reboot(world: World, changed: Path):
    """A rollback then stages it again, and does not switch to what no release contains."""
    state = world.state
    state.slots["blue"].become("warm")
    state.save()
    world.ask(restore.command)
    assert world.state.slots["blue"].state == "failed"
    assert "slipway-web@blue-1.service" not in world.systemd.running
