from ipaddress import IPv4Network

import pytest

from slipway.platforms.local.network import lay_out
from slipway.settings import BadInput, LocalFleet, Stack

NETWORK = IPv4Network("172.28.5.0/24")


def stack(**local: int) -> Stack:
    settings = LocalFleet.model_validate(local)
    return Stack(name="local", project="board", platform="local", local=settings)


def test_the_default_fleet_has_five_hosts():
    assert [host.name for host in lay_out(stack(), NETWORK)] == ["edge", "web1", "web2", "worker1", "data1"]


def test_adding_web_hosts_moves_nobody_else():
    before = {host.name: host for host in lay_out(stack(), NETWORK)}
    after = {host.name: host for host in lay_out(stack(web=16, worker=8), NETWORK)}
    assert len(after) == 26
    assert all(after[name] == host for name, host in before.items())


def test_no_two_hosts_share_an_address_or_a_port():
    hosts = lay_out(stack(web=16, worker=8), NETWORK)
    ports = [outside for host in hosts for outside, _, _ in host.published]
    assert len({host.address for host in hosts}) == len(hosts)
    assert len(set(ports)) == len(ports)


def test_a_port_asked_for_twice_is_refused_with_its_setting():
    with pytest.raises(
        BadInput, match=r"Pulumi.local.yaml slipway:local https_port: port 2222.*twice|ssh_port"
    ):
        lay_out(stack(https_port=2222), NETWORK)


def test_ssh_ports_that_run_out_are_refused():
    with pytest.raises(BadInput, match="is no port"):
        lay_out(stack(ssh_port=65_520), NETWORK)


def test_only_the_data_host_has_data_disks():
    disks = {host.name: host.disks for host in lay_out(stack(), NETWORK)}
    assert "/var/lib/postgresql" in disks["data1"]
    assert "/var/lib/postgresql" not in disks["web1"]
    assert all("/srv/slipway" in paths for paths in disks.values())


def test_without_uploads_no_uploads_port_is_taken():
    quiet = stack().model_copy(update={"uploads": False})
    edge = lay_out(quiet, NETWORK)[0]
    assert "uploads_port" not in [setting for _, _, setting in edge.published]
