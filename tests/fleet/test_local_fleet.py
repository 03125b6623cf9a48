"""The local fleet: up and down, again and again, through everything that may happen to it."""

import json
import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slipway.fleet.ssh import Connection
from slipway.platforms.local.containers import Containers, ContainerState
from slipway.platforms.local.docker import Docker
from slipway.platforms.platform import platform_of
from slipway.progress import Silent
from slipway.settings import BadInput, Outputs, Project, open_project
from tests.fleet.conftest import refresh_app, write_project

pytestmark = pytest.mark.fleet


def on(project: Project, host: str, script: str) -> str:
    return Docker().execute(f"{project.fleet_id}-{host}", script)


def psql(project: Project, statement: str) -> str:
    return on(project, "data1", f'su postgres -c "psql -qAt -c \\"{statement}\\""').strip()


def states(project: Project) -> dict[str, ContainerState]:
    return Containers(Docker(), project).states()


def started(project: Project) -> dict[str, str]:
    return {name: state.since for name, state in states(project).items()}


def outputs_of(project: Project) -> Outputs:
    return Outputs.model_validate_json((project.state_dir / "outputs.json").read_bytes())


def test_up_again_changes_nothing(fleet: Project):
    before = started(fleet), outputs_of(fleet)
    assert (started(fleet), platform_of(fleet).bring_up(Silent())) == (before[0], before[1])


def test_ports_are_open_on_loopback_only(fleet: Project):
    published = json.loads(
        Docker().text("inspect", "--format", "{{json .HostConfig.PortBindings}}", f"{fleet.fleet_id}-edge")
    )
    assert {binding["HostIp"] for bindings in published.values() for binding in bindings} == {"127.0.0.1"}
    ports = {format(fleet.stack.local.https_port, "04X"), format(fleet.stack.local.ssh_port, "04X")}
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = {
        row[1].split(":")[0] for row in listening if row[1].split(":")[1] in ports and row[3] == "0A"
    }
    assert addresses == {"0100007F"}


def test_secrets_are_in_no_output_and_no_container_description(fleet: Project):
    values = platform_of(fleet).secrets.values()
    names = [f"{fleet.fleet_id}-{host.name}" for host in outputs_of(fleet).hosts]
    told = Docker().text("inspect", *names) + (fleet.state_dir / "outputs.json").read_text()
    assert values
    assert [value for value in values if value in told] == []


def test_hosts_come_back_by_themselves_with_addresses_names_and_keys(fleet: Project):
    outputs = outputs_of(fleet)
    Docker().run("restart", *(f"{fleet.fleet_id}-{host.name}" for host in outputs.hosts), timeout=120)
    platform_of(fleet).bring_up(Silent())
    for host in outputs.hosts:
        assert on(fleet, "web1", f"getent hosts {host.name}").split()[0] == host.address
        done = Connection(host.name, outputs.ssh_config_path).run(["hostname"])
        assert done.code == 0


def test_data_is_kept_over_down_and_up(fleet: Project):
    psql(fleet, "CREATE TABLE IF NOT EXISTS kept (said text)")
    psql(fleet, "INSERT INTO kept VALUES ('before down')")
    on(fleet, "web1", "echo kept > /var/lib/slipway/kept")
    platform_of(fleet).take_down(Silent(), volumes=False)
    assert {each.state for each in states(fleet).values()} == {"exited"}
    platform_of(fleet).take_down(Silent(), volumes=False)
    platform_of(fleet).bring_up(Silent())
    assert psql(fleet, "SELECT DISTINCT said FROM kept") == "before down"
    assert on(fleet, "web1", "cat /var/lib/slipway/kept") == "kept\n"
    psql(fleet, "DROP TABLE kept")


def test_lost_hosts_are_made_again_with_their_data(fleet: Project):
    psql(fleet, "CREATE TABLE IF NOT EXISTS kept (said text)")
    psql(fleet, "INSERT INTO kept VALUES ('before the loss')")
    Docker().run("kill", f"{fleet.fleet_id}-web1")
    Docker().run("rm", "--force", f"{fleet.fleet_id}-data1", f"{fleet.fleet_id}-web2")
    assert "data1" not in states(fleet)
    platform_of(fleet).bring_up(Silent())
    assert {each.state for each in states(fleet).values()} == {"running"}
    assert psql(fleet, "SELECT DISTINCT said FROM kept") == "before the loss"
    psql(fleet, "DROP TABLE kept")


def test_a_host_is_not_made_around_databases_that_it_has_no_server_for(fleet: Project):
    other = "/var/lib/postgresql/99"
    on(fleet, "data1", f"install -d -o postgres {other}/main; echo 99 > {other}/main/PG_VERSION")
    Docker().run("rm", "--force", f"{fleet.fleet_id}-data1")
    before = started(fleet)
    try:
        with pytest.raises(BadInput, match=r"PostgreSQL 99, for which .* has no server"):
            platform_of(fleet).bring_up(Silent())
        assert started(fleet) == before
    finally:
        volume = f"{fleet.fleet_id}-data1-var-lib-postgresql:/var/lib/postgresql"
        image = Docker().inspect("container", f"{fleet.fleet_id}-web1")[0]["Image"]
        Docker().run("run", "--rm", "--volume", volume, image, "rm", "-r", other)
    platform_of(fleet).bring_up(Silent())
    assert {each.state for each in states(fleet).values()} == {"running"}


def test_web_hosts_come_and_go_and_move_nobody(fleet: Project):
    before = started(fleet)
    settings = fleet.root / "Pulumi.local.yaml"
    kept = settings.read_text()
    try:
        settings.write_text(kept + "    web: 3\n")
        more = platform_of(open_project("local", fleet.root)).bring_up(Silent())
    finally:
        settings.write_text(kept)
    assert [host.name for host in more.by_role("web")] == ["web1", "web2", "web3"]
    assert "web3" in on(fleet, "edge", "cat /etc/haproxy/haproxy.cfg")
    fewer = platform_of(open_project("local", fleet.root)).bring_up(Silent())
    assert [host.name for host in fewer.by_role("web")] == ["web1", "web2"]
    assert started(fleet) == before


@contextmanager
def another(tmp_path: Path, name: str, **local: int) -> Generator[Project]:
    root = write_project(tmp_path / name, name, **local)
    refresh_app(root)
    project = open_project("local", root)
    yield project
    platform_of(project).take_down(Silent(), volumes=True)
    assert states(project) == {}
    assert Docker().inspect("network", project.fleet_id) == []


def test_a_port_in_use_is_told_with_its_owner_and_nothing_is_made(fleet: Project, tmp_path: Path):
    taken = fleet.stack.local.https_port
    with another(tmp_path, "sliptest2", http_port=taken) as project:
        with pytest.raises(BadInput) as caught:
            platform_of(project).bring_up(Silent())
        assert states(project) == {}
    assert caught.value.message == (
        f"Pulumi.local.yaml slipway:local http_port: port {taken} is taken by container {fleet.fleet_id}-edge"
    )


def test_a_port_that_a_program_has_is_told_with_its_name(fleet: Project, tmp_path: Path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with another(tmp_path, "sliptest3", https_port=port) as project, pytest.raises(BadInput, match="pid"):
            platform_of(project).bring_up(Silent())


def test_a_fleet_of_the_same_name_in_another_folder_is_not_touched(fleet: Project, tmp_path: Path):
    root = tmp_path / "copy"
    shutil.copytree(fleet.root, root, ignore=shutil.ignore_patterns(".slipway"))
    for attempt in (
        lambda: platform_of(open_project("local", root)).bring_up(Silent()),
        lambda: platform_of(open_project("local", root)).take_down(Silent(), volumes=True),
    ):
        with pytest.raises(BadInput, match=f"belongs to {fleet.root}"):
            attempt()
    assert {each.state for each in states(fleet).values()} == {"running"}


def test_down_where_nothing_is_does_nothing(tmp_path: Path):
    with another(tmp_path, "sliptest4") as project:
        platform_of(project).take_down(Silent(), volumes=False)
        assert (
            subprocess.run(["docker", "volume", "ls", "-q"], capture_output=True, check=True).stdout.find(
                b"sliptest4"
            )
            == -1
        )
