import threading
from pathlib import Path

import pytest

from hosts.agent import boot, restore, retire, switch
from hosts.agent.errors import AgentError, Interrupted
from tests.unit.agent.conftest import WEB, WORKER, World


@pytest.fixture
def host(world: World) -> World:
    """Release 1 is live in blue, release 2 booted in green."""
    world.put("blue", "live", 1, active=True, web=WEB)
    world.put("green", "booted", 2, web=WEB)
    world.haproxy.map |= {"active": "blue", "idle": "green"}
    return world


def serves(world: World) -> tuple[str, str, str | None]:
    """Who serves by HAProxy, by its map file and by state.json."""
    file = dict(line.split() for line in Path(world.paths.map).read_text().splitlines())
    return world.haproxy.map["active"], file["active"], world.state.active


def test_a_switch_goes_forward_and_the_same_command_goes_back(host: World):
    forward = host.ask(switch.command, fence=1, release=2, hold_seconds=60)
    assert (forward["from"], forward["to"], forward["slot"]) == (1, 2, "green")
    assert serves(host) == ("green", "green", "green")
    assert host.state.slots["blue"].state == "warm"
    back = host.ask(switch.command, fence=1, release=1, hold_seconds=60)
    assert (back["from"], back["to"]) == (2, 1)
    assert serves(host) == ("blue", "blue", "blue")


def test_switching_again_to_the_live_release_changes_nothing(host: World):
    host.ask(switch.command, fence=1, release=2, hold_seconds=60)
    before = Path(host.paths.state).read_bytes()
    assert host.ask(switch.command, fence=1, release=2, hold_seconds=60)["from"] == 2
    assert Path(host.paths.state).read_bytes() == before


def test_both_keys_of_the_map_change_in_one_line(host: World):
    host.haproxy.received.clear()
    host.ask(switch.command, fence=1, release=2)
    at = host.haproxy.received.index(f"set map {host.paths.map} active green")
    assert host.haproxy.received[at + 1] == f"set map {host.paths.map} idle blue"


@pytest.mark.parametrize(("state", "release"), [("staged", 2), ("failed", 2), ("booted", 9)])
def test_a_release_that_is_not_booted_here_is_refused(host: World, state: str, release: int):
    host.put("green", state, 2, web=WEB)
    if state == "failed":  # a boot that fails stops what it started
        host.systemd.running.discard("slipway-web@green-1.service")
    with pytest.raises(AgentError) as refused:
        host.ask(switch.command, fence=1, release=release)
    assert refused.value.code == "not_warm"
    assert serves_only_blue(host)


def test_a_slot_whose_servers_are_down_is_no_target(host: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(switch, "SEEN_SECONDS", 0.05)
    host.haproxy.status["green"] = ["DOWN"]
    with pytest.raises(AgentError, match="no server of release 2 in slot green is up"):
        host.ask(switch.command, fence=1, release=2)
    assert serves_only_blue(host)


@pytest.mark.parametrize(("live", "goes"), [("DOWN", True), ("UP", False)])
def test_the_way_back_needs_no_more_health_than_what_serves_has(
    host: World, monkeypatch: pytest.MonkeyPatch, live: str, goes: bool
):
    monkeypatch.setattr(switch, "SEEN_SECONDS", 0.05)
    host.haproxy.status = {"blue": [live], "green": ["DOWN"]}
    if goes:
        host.ask(switch.command, fence=1, release=2, back=True)
    else:
        with pytest.raises(AgentError, match="no server of release 2"):
            host.ask(switch.command, fence=1, release=2, back=True)
    assert host.haproxy.map["active"] == ("green" if goes else "blue")


def test_a_server_that_haproxy_has_not_seen_yet_is_waited_for(host: World):
    host.haproxy.status["green"] = ["DOWN"]
    threading.Timer(0.2, host.haproxy.status.update, [{"green": ["UP"]}]).start()
    host.ask(switch.command, fence=1, release=2)
    assert host.haproxy.map["active"] == "green" == host.state.active


def serves_only_blue(world: World) -> bool:
    return world.haproxy.map["active"] == "blue" == world.state.active


def test_if_haproxy_refuses_the_old_release_stays_live(host: World):
    host.haproxy.refuse = "unknown map identifier"
    with pytest.raises(AgentError, match="unknown map identifier"):
        host.ask(switch.command, fence=1, release=2)
    assert serves_only_blue(host)
    assert host.state.slots["green"].state == "booted"


@pytest.mark.parametrize("repair", ["switch", "restore", "retire"])
def test_a_switch_killed_before_the_map_is_finished_by_the_next_command(
    host: World, repair: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as killed:
        calls = iter([False])

        def kill(*_: object) -> bool:
            if next(calls, None) is None:
                raise Interrupted
            return False

        killed.setattr("hosts.agent.haproxy.apply", kill)
        with pytest.raises(Interrupted):
            host.ask(switch.command, fence=1, release=2)
    assert host.haproxy.map["active"] == "blue", "still served by the old release"
    commands = {
        "switch": lambda: host.ask(switch.command, fence=1, release=2),
        "restore": lambda: host.ask(restore.command),
        "retire": lambda: host.ask(retire.command, fence=1),
    }
    commands[repair]()
    assert serves(host) == ("green", "green", "green")


def test_a_reboot_starts_live_and_warm_and_writes_the_map(host: World):
    host.ask(switch.command, fence=1, release=2, hold_seconds=60)
    host.systemd.running.clear()
    Path(host.paths.map).unlink()
    host.haproxy.map |= {"active": "none", "idle": "blue"}
    host.ask(restore.command)
    assert host.systemd.running == {"slipway-web@blue-1.service", "slipway-web@green-1.service"}
    assert serves(host) == ("green", "green", "green")


def test_a_reboot_makes_a_booted_candidate_merely_staged(host: World):
    host.systemd.running.clear()
    host.ask(restore.command)
    assert host.state.slots["green"].state == "staged"
    assert "slipway-web@green-1.service" not in host.systemd.running


def test_release_0_takes_a_first_release_back(world: World):
    world.put("blue", "booted", 1, web=WEB)
    world.ask(switch.command, fence=1, release=1)
    assert serves(world) == ("blue", "blue", "blue")
    assert world.ask(switch.command, fence=1, release=0)["from"] == 1
    assert serves(world) == ("none", "none", None)
    assert world.ask(retire.stop, fence=1, release=1)["slot"] == "blue"


def test_a_worker_that_may_overlap_starts_at_boot_and_its_old_self_stops_last(world: World):
    world.be("worker")
    overlapping = {**WORKER, "overlap": True}
    world.put("blue", "live", 1, active=True, worker=overlapping)
    world.put("green", "staged", 2, worker=overlapping)
    (Path(world.paths.run) / "ready/slipway-worker@green-1.service").mkdir(parents=True)
    (Path(world.paths.run) / "ready/slipway-worker@green-1.service/ready").touch()
    world.ask(boot.command, fence=1, release=2)
    assert world.systemd.running == {"slipway-worker@blue-1.service", "slipway-worker@green-1.service"}
    world.ask(switch.command, fence=1, release=2)
    assert world.systemd.running == {"slipway-worker@green-1.service"}
    assert world.state.active == "green"
