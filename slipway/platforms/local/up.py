"""`slipway up` and `slipway down` of a local fleet."""

import shutil
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path

from hosts.plan import FleetPlan
from slipway.fleet.ssh_config import write_ssh_config
from slipway.platforms.data_host import ensure_platform_secrets
from slipway.platforms.local.containers import Containers
from slipway.platforms.local.docker import ensure_daemon, find_docker
from slipway.platforms.local.health import raise_limits, wait_for_releases, wait_for_services, wait_for_ssh
from slipway.platforms.local.images import ensure_images, find_versitygw
from slipway.platforms.local.keys import ensure_ca, ensure_leaf, host_key, operator_key
from slipway.platforms.local.network import LocalHost, compose_outputs, ensure_network, lay_out
from slipway.platforms.state_folder import only_one, write_private
from slipway.progress import Progress
from slipway.secrets.age_store import AgeStore
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project

LOOPBACK_NAMES = ("localhost", "127.0.0.1")


def up(project: Project, store: AgeStore, outputs_file: Path, progress: Progress) -> Outputs:
    """Bring the fleet up, or in line with its settings; what is right already is left alone.

    Minutes the first time, seconds later. Writes `outputs_file`. BadInput: Docker or a port is missing;
    NeedsPerson: a host or service does not come up.
    """
    from hosts.set_up import set_up  # noqa: PLC0415 - pyinfra takes long to import

    with only_one(project):
        secrets = ensure_platform_secrets(store)
        with progress.phase("docker"):
            docker = ensure_daemon(progress)
            fleet = Containers(docker, project)
            fleet.refuse_foreign(fleet.states(), gone_too=True)
        with progress.phase("images"):
            images = ensure_images(docker, project.stack.local.image, progress)
        with progress.phase("containers"):
            subnet = ensure_network(docker, fleet.name, fleet.labels, _remembered_subnet(outputs_file))
            hosts = lay_out(project.stack, subnet)
            outputs = _outputs(project, hosts, store.path)
            raise_limits(progress)
            started = fleet.ensure(hosts, images, progress)
            wait_for_ssh(fleet, hosts)
        with progress.phase("set up"):
            set_up(fleet_plan(project, outputs, secrets), progress)
        with progress.phase("health"):
            wait_for_services(fleet, outputs)
            wait_for_releases(fleet, [host for host in hosts if host.name in started], progress)
        write_private(outputs_file, outputs.model_dump_json(indent=2).encode() + b"\n")
    return outputs


def _outputs(project: Project, hosts: list[LocalHost], secrets: Path) -> Outputs:
    keys = {host.name: host_key(project.state_dir, host.name).public for host in hosts}
    outputs = compose_outputs(
        project.stack,
        hosts,
        keys,
        state_dir=project.state_dir.resolve(),
        secrets=secrets,
    )
    write_ssh_config(outputs.hosts, project.state_dir, operator_key(project.state_dir).path)
    return outputs


def _remembered_subnet(outputs_file: Path) -> str | None:
    """The subnet that the fleet had before: with it, addresses and certificates stay."""
    try:
        held = Outputs.model_validate_json(outputs_file.read_bytes())
    except (OSError, ValueError):
        return None
    return str(IPv4Network(f"{held.hosts[0].address}/24", strict=False)) if held.hosts else None


def fleet_plan(project: Project, outputs: Outputs, secrets: Mapping[str, str]) -> FleetPlan:
    """What hosts are set up with. Certificates that are missing or end soon are made."""
    stack = project.stack
    ca = ensure_ca(project.state_dir, project.fleet_id)
    edge = [host.address for host in outputs.by_role("edge")]
    site = [stack.domain, f"uploads.{stack.domain}", *LOOPBACK_NAMES, "::1", *edge]
    pems: dict[str, Path] = {
        host.name: ensure_leaf(project.state_dir, ca, host.name, [host.name, host.address, *LOOPBACK_NAMES])
        for host in outputs.hosts
    }
    return FleetPlan(
        outputs=outputs,
        app=project.app,
        stack=stack,
        secrets=secrets,
        ca_file=ca.certificate,
        site_pem=ensure_leaf(project.state_dir, ca, "site", site),
        host_pems=pems,
        versitygw=find_versitygw(),
        ssh_access="published",
        edge_names=(*LOOPBACK_NAMES, *edge, *(host.name for host in outputs.by_role("edge"))),
    )


def down(project: Project, *, volumes: bool = False, progress: Progress) -> None:
    """Stop the hosts; with `volumes`, remove hosts, network, data and certificates.

    Does nothing if there is no fleet. Secrets stay: they belong to the stack, not to the fleet.
    """
    if find_docker() is None:
        return
    with only_one(project), progress.phase("down"):
        fleet = Containers(ensure_daemon(progress), project)
        states = fleet.states()
        fleet.refuse_foreign(states, gone_too=False)
        for host in states:
            progress.host(host, "stopping")
        if not volumes:
            fleet.stop([state.host for state in states.values() if state.running])
        else:
            fleet.remove(sorted(states))
            fleet.remove_volumes()
            if fleet.docker.inspect("network", fleet.name):
                fleet.docker.run("network", "rm", fleet.name)
            for name in ("outputs.json", "ssh_config", "known_hosts"):
                (project.state_dir / name).unlink(missing_ok=True)
            for folder in ("ssh", "tls"):
                shutil.rmtree(project.state_dir / folder, ignore_errors=True)
