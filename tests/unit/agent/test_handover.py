from pathlib import Path
from typing import Any

import pytest

from hosts.agent import boot, builds, handover, restore, retire, stage, status, switch
from hosts.agent.errors import AgentError, Interrupted
from tests.unit.agent.conftest import TICKET, WEB, WORKER, World

BLUE, GREEN = "slipway-worker@blue-1.service", "slipway-worker@green-1.service"


@pytest.fixture
def host(world: World) -> World:
    """A worker host: release 1 works in blue, release 2 is ready to take over in green."""
    world.be("worker")
    world.put("blue", "live", 1, active=True, worker=WORKER)
    world.put("green", "booted", 2, worker=WORKER)
    for unit in (BLUE, GREEN):
        folder = Path(world.paths.run) / "ready" / unit
        folder.mkdir(parents=True)
        (folder / "ready").touch()
    return world


def steps(world: World) -> list[tuple[str, ...]]:
    return [call for call in world.systemd.calls if call[0] in ("start", "stop") and call[1:]]


def test_the_old_worker_has_stopped_before_the_new_one_starts(host: World):
    answer = host.ask(switch.command, fence=1, release=2, hold_seconds=60)
    assert steps(host) == [("stop", BLUE), ("start", GREEN)]
    assert answer["handover"] is None
    assert host.state.active == "green"
    assert host.state.slots["blue"].state == "warm"


def test_a_worker_that_ignores_its_stop_signal_is_reported_until_one_obeys(host: World):
    host.systemd.deaf = {BLUE}
    host.ask(switch.command, fence=3, release=2, hold_seconds=60)
    killed = host.ask(status.status)["killed"]
    assert killed["worker"] | {"at": 0} == {
        "release": 1,
        "instances": 1,
        "signal": "SIGTERM",
        "seconds": 10,
        "at": 0,
        "fence": 3,
    }
    assert host.ask(builds.prune, keep=3)["killed"] == killed
    host.systemd.deaf = set()
    host.ask(switch.command, fence=4, release=1, back=True)
    assert host.ask(status.status)["killed"] == {}


def test_a_drained_slot_s_processes_are_reported_too(world: World):
    world.put("blue", "live", 1, active=True, web=WEB)
    world.put("green", "warm", 2, web={**WEB, "stop_signal": "SIGINT", "drain_seconds": 25})
    world.systemd.deaf = {"slipway-web@green-1.service"}
    world.ask(retire.command, slot="green", now=True)
    killed = world.ask(status.status)["killed"]["web"]
    assert (killed["release"], killed["signal"], killed["seconds"]) == (2, "SIGINT", 25)


def test_a_new_worker_that_dies_gives_the_work_back_to_the_old(host: World):
    host.systemd.dying = {GREEN}
    with pytest.raises(AgentError) as failed:
        host.ask(switch.command, fence=1, release=2)
    assert failed.value.code == "crashed"
    assert failed.value.log == ["the last line"]
    assert host.systemd.running == {BLUE}
    state = host.state
    assert (state.active, state.handover) == ("blue", None)
    assert (state.slots["blue"].state, state.slots["green"].state) == ("live", "failed")
    assert state.slots["green"].error["code"] == "crashed"


def test_on_the_way_back_workers_need_not_be_ready(host: World):
    host.systemd.dying = {GREEN}  # as while a service is away that both releases need
    answer = host.ask(switch.command, fence=1, release=2, back=True)
    assert "slipway-worker@green-1.service ended" in answer["not_ready"]
    state = host.state
    assert (state.active, state.handover, state.slots["green"].state) == ("green", None, "live")
    assert state.slots["green"].error["code"] == "crashed"


@pytest.mark.parametrize("again", ["switch", "boot and switch", "stage, boot and switch"])
def test_a_slot_whose_worker_died_can_be_switched_to_once_it_can_run(host: World, again: str):
    """Redis was away for a moment; nothing is wrong with the release."""
    host.systemd.dying = {GREEN}
    with pytest.raises(AgentError):
        host.ask(switch.command, fence=1, release=2)
    host.systemd.dying = set()
    if "stage" in again:
        manifest: dict[str, object] = {"layers": [], "processes": {"worker": WORKER}}
        given: dict[str, Any] = {"build": "b2", "config": "c2", "env": {}, "ticket": TICKET}
        host.ask(stage.command, fence=2, release=2, manifest=manifest, **given)
    if "boot" in again:
        host.ask(boot.command, fence=2, release=2)
    host.ask(switch.command, fence=2, release=2)
    state = host.state
    assert (state.active, state.slots["green"].state, state.slots["green"].error) == ("green", "live", {})
    assert {unit for unit in host.systemd.running if "worker" in unit} == {GREEN}


def test_the_old_release_comes_back_after_its_worker_failed_while_a_service_was_away(host: World):
    host.ask(switch.command, fence=1, release=2)
    host.systemd.dying = {BLUE}
    with pytest.raises(AgentError):
        host.ask(switch.command, fence=1, release=1)
    assert host.state.slots["blue"].state == "failed"
    host.systemd.dying = set()
    host.ask(switch.command, fence=2, release=1)
    assert (host.state.active, host.systemd.running) == ("blue", {BLUE})


@pytest.fixture(params=["stop", "start"])
def killed(host: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    """The agent was killed while it stopped the old worker, or while it started the new one."""
    with monkeypatch.context() as broken:

        def kill(*_: object, **__: object) -> None:
            raise Interrupted

        broken.setattr(f"hosts.agent.systemd.{request.param}", kill)
        with pytest.raises(Interrupted):
            host.ask(switch.command, fence=1, release=2)
    assert host.state.handover
    assert host.state.active == "blue"
    return host


def test_a_killed_handover_is_finished_by_the_same_command(killed: World):
    killed.ask(switch.command, fence=1, release=2)
    assert (killed.state.active, killed.state.handover) == ("green", None)
    assert killed.systemd.running == {GREEN}


def test_a_killed_handover_is_taken_back_by_a_switch_to_the_old(killed: World):
    killed.ask(switch.command, fence=2, release=1)
    assert (killed.state.active, killed.state.handover) == ("blue", None)
    assert killed.systemd.running == {BLUE}


def test_a_stop_of_the_release_that_a_killed_handover_leads_to_takes_it_back(killed: World):
    killed.ask(retire.stop, fence=2, release=2)
    assert (killed.state.active, killed.state.handover) == ("blue", None)
    assert killed.state.slots["green"].state == "empty"
    assert killed.systemd.running == {BLUE}


def test_a_killed_handover_is_finished_at_boot(killed: World):
    killed.systemd.running.clear()
    killed.ask(restore.command)
    assert (killed.state.active, killed.state.handover) == ("green", None)
    assert killed.systemd.running == {GREEN}


def test_a_killed_handover_is_finished_by_any_other_change(killed: World):
    killed.ask(retire.command, fence=1)
    assert (killed.state.active, killed.state.handover) == ("green", None)


def test_without_waiting_the_handover_is_left_to_a_unit_of_its_own(host: World):
    answer = host.ask(switch.command, fence=1, release=2, wait=False)
    assert answer["handover"]["to"] == "green"
    assert steps(host) == []
    assert any(call[0] == "systemd-run" and call[-1] == "handover" for call in host.systemd.calls)
    host.ask(handover.command)
    assert host.state.active == "green"


def test_workers_beside_a_web_process_hand_over_after_users_have(world: World):
    world.put("blue", "live", 1, active=True, web=WEB, mailer={**WORKER, "role": "web"})
    world.put("green", "booted", 2, web=WEB, mailer={**WORKER, "role": "web"})
    world.systemd.dying = {"slipway-mailer@green-1.service"}
    world.haproxy.map |= {"active": "blue", "idle": "green"}
    with pytest.raises(AgentError, match="slipway-mailer@green-1"):
        world.ask(switch.command, fence=1, release=2)
    assert world.haproxy.map["active"] == "blue" == world.state.active
    assert "slipway-mailer@blue-1.service" in world.systemd.running
