"""Hosts that join and leave while a command is at work."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from slipway.fleet.fleet import Fleet, FleetHost
from slipway.release.membership import Membership
from slipway.release.promote import Promote
from slipway.release.switch import Switch
from slipway.settings import ReleaseFailed, SlipwayError
from slipway.stack import LiveStack
from tests.unit.release.conftest import World, outputs


def boot(world: World) -> dict[str, Any]:
    hosts = world.rollout.hosts
    return hosts.each(hosts.all, lambda host: cast("Any", host).agent.boot(), doing="booting")


# leaving


def test_as_long_as_no_host_fails_the_platform_is_not_asked_who_is_there(world: World):
    boot(world)
    assert world.discoveries == 0


def test_a_host_that_fails_and_has_left_is_dropped_with_a_warning(world: World):
    world.fails["web2", "boot"] = SlipwayError("no route to the host")
    world.now = outputs("web1")
    assert set(boot(world)) == {"web1"}
    assert world.hosts == ["web1"]
    assert "web2 left the fleet" in world.rollout.warnings[0]


def test_a_host_that_fails_and_is_still_there_fails_the_phase(world: World):
    world.fails["web2", "boot"] = SlipwayError("crashed")
    with pytest.raises(ReleaseFailed, match="booting failed on web2"):
        boot(world)


def test_one_that_left_does_not_hide_one_that_fails(world: World):
    for name in ("web1", "web2"):
        world.fails[name, "boot"] = SlipwayError("crashed")
    world.now = outputs("web1")
    with pytest.raises(ReleaseFailed, match="booting failed on web1") as failed:
        boot(world)
    assert not any("web2" in line for line in failed.value.details)


def test_when_all_web_hosts_are_gone_the_command_fails(world: World):
    for name in ("web1", "web2"):
        world.fails[name, "boot"] = SlipwayError("gone")
    world.now = outputs("worker1")
    with pytest.raises(ReleaseFailed, match="no web host is left"):
        boot(world)


def test_where_hosts_are_fixed_a_failure_is_a_failure(world: World):
    world.fleet._discover = None  # pyright: ignore[reportPrivateUsage]
    world.fails["web2", "boot"] = SlipwayError("no route to the host")
    world.now = outputs("web1")
    with pytest.raises(ReleaseFailed):
        boot(world)
    assert world.discoveries == 0


def test_a_host_that_came_before_the_command_knew_its_status_is_not_worked_on(world: World):
    world.now = outputs("web1", "web2", "web3")
    world.fleet.refresh()
    members = Membership(world.stack, {"web1": 1, "web2": 2}, world.rollout.progress, [])
    assert [host.name for host in members.all] == ["web1", "web2"]


# joining


def test_a_new_host_that_serves_is_staged_and_booted_before_the_switch(world: World):
    world.now = outputs("web1", "web2", "web3")
    world.serves["web3"] = 4
    cutover = Switch(world.shipment).run(world.rollout)
    commands = [command for host, command in world.asked if host == "web3"]
    assert commands == ["status", "stage", "boot", "switch"]
    assert world.hosts == ["web1", "web2", "web3"]
    assert set(cutover.web) == {"web1", "web2", "web3"}


def test_a_new_host_before_promote_is_switched_as_well(world: World):
    world.now = outputs("web1", "web2", "web3")
    world.serves["web3"] = 4
    promote = world.last(Promote)
    promote.run(world.rollout)
    assert world.asked == [("web3", command) for command in ("status", "stage", "boot", "switch")]
    assert promote.joined["web3"].slot == "green"


def test_a_new_host_that_is_still_starting_is_left_to_its_boot_document(world: World):
    world.now = outputs("web1", "web2", "web3")
    promote = world.last(Promote)
    promote.run(world.rollout)
    assert world.asked == [("web3", "status")]
    assert (world.hosts, promote.joined) == (["web1", "web2"], {})


def test_a_new_host_that_fails_is_a_warning_and_not_the_releases_end(world: World):
    world.now = outputs("web1", "web2", "web3")
    world.serves["web3"] = 4
    world.fails["web3", "boot"] = SlipwayError("disk full")
    Switch(world.shipment).run(world.rollout)
    assert world.hosts == ["web1", "web2"]
    assert "web3 joined and could not be brought along: disk full" in world.rollout.warnings[0]


def test_known_hosts_keep_their_connections(world: World):
    before = {host.name: host.connection for host in world.fleet.hosts}
    world.now = outputs("web2", "web3")
    world.fleet.refresh()
    after = {host.name: host.connection for host in world.fleet.hosts}
    assert after["web2"] is before["web2"]
    assert set(after) == {"web2", "web3"}


def test_a_host_of_both_roles_is_switched_with_the_web_hosts_and_hands_over_with_the_workers(world: World):
    world.now = outputs("both1", "web1")
    world.fleet.refresh()
    world.holds("both1", 4, 5, "booted")
    members = world.rollout.hosts
    members.all = world.fleet.hosts
    assert [host.name for host in members.web] == ["both1", "web1"]
    assert [host.name for host in members.workers] == ["both1"]
    assert members.cron_kinds(members.all[0]) == ["path", "command"]
    world.asked.clear()
    Switch(world.shipment).run(world.rollout)
    assert sorted(world.asked[:2]) == [("both1", "switch"), ("web1", "switch")]
    assert world.asked[2:] == [("both1", "switch")], "the release ends when its workers have handed over"


def test_an_app_without_workers_has_none_to_hand_over(world: World):
    world.now = outputs("both1")
    world.fleet.refresh()
    members = world.rollout.hosts
    members.all = world.fleet.hosts
    vars(world.stack.app)["processes"] = {"web": 1}
    assert (members.web, members.workers) == (members.all, [])


@pytest.mark.parametrize(("is_static", "owner"), [(True, "web-b"), (False, "web-a")])
def test_where_hosts_elect_an_owner_of_cron_entries_a_release_names_the_same(
    world: World, is_static: bool, owner: str
):
    names = ("web-b", "web-a")
    fleet = Fleet(outputs(*names), None if is_static else lambda: outputs(*names))
    stack: Any = SimpleNamespace(fleet=fleet, app_hosts=fleet.hosts, app=world.stack.app)
    members = Membership(cast("LiveStack", stack), names, world.rollout.progress, [])
    owners: list[FleetHost] = [host for host in members.all if members.cron_kinds(host)]
    assert [host.name for host in owners] == [owner]
