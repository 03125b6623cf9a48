"""`slipway up` and `slipway down` of a local fleet."""

import shutil
from collections.abc import Mapping

from hosts.plan import FleetPlan
from hosts.set_up import set_up
from slipway.fleet.ssh_config import write_ssh_config
from slipway.platforms.data_host import secret_names
from slipway.platforms.local.containers import Containers
from slipway.platforms.local.docker import ensure_daemon, find_docker
from slipway.platforms.local.health import wait_for_releases, wait_for_services, wait_for_ssh
from slipway.platforms.local.images import ensure_images
from slipway.platforms.local.keys import ensure_certificates, fleet_keys
from slipway.platforms.local.network import compose_outputs, ensure_network, lay_out
from slipway.platforms.state_folder import keep_private, only_one, set_ups
from slipway.progress import Progress
from slipway.secrets.age_store import AgeStore
from slipway.secrets.signing import ensure_signers, signers
from slipway.secrets.store import ensure_random
from slipway.settings import OUTPUTS_FILE, Outputs, Project

LOOPBACK_NAMES = ("localhost", "127.0.0.1")


def up(project: Project, store: AgeStore, progress: Progress) -> Outputs:
    """Bring the fleet up, or in line with its settings; what is right already is left alone.

    Minutes the first time, seconds later. Writes the stack outputs. BadInput: Docker or a port is missing;
    NeedsPerson: a host or service does not come up.
    """
    outputs_file = project.state_dir / OUTPUTS_FILE
    with only_one(project):
        ensure_signers(project)
        secrets = ensure_random(store, secret_names(project.stack))
        with progress.phase("docker"):
            docker = ensure_daemon(progress)
            fleet = Containers(docker, project)
            fleet.refuse_foreign(fleet.states(), gone_too=True)
        with progress.phase("images"):
            images = ensure_images(docker, project.stack.local, progress)
        with progress.phase("containers"):
            network = ensure_network(docker, fleet.name, fleet.labels, outputs_file)
            hosts = lay_out(project.stack, network)
            keys = fleet_keys(project.state_dir, [host.name for host in hosts])
            outputs = compose_outputs(
                project.stack,
                hosts,
                {name: key.public for name, key in keys.hosts.items()},
                state_dir=project.state_dir.resolve(),
                secrets=store.path,
            )
            write_ssh_config(outputs.hosts, project.state_dir, keys.operator.path)
            started = fleet.ensure(hosts, images, keys, progress)
            wait_for_ssh(fleet, hosts)
        with progress.phase("set up"):
            plan = fleet_plan(project, outputs, secrets)
            set_up(plan, progress, *set_ups(project, outputs, secrets))
        with progress.phase("health"):
            wait_for_services(fleet, outputs)
            if started:
                wait_for_releases(fleet, [host for host in hosts if host.name in started], progress)
        keep_private(outputs_file, outputs.model_dump_json(indent=2).encode() + b"\n")
    return outputs


def fleet_plan(project: Project, outputs: Outputs, secrets: Mapping[str, str]) -> FleetPlan:
    """What hosts are set up with. Certificates that are missing or end soon are made."""
    domain = project.stack.domain
    edge = outputs.by_role("edge")
    addresses = [host.address for host in edge]
    names = {host.name: [host.name, host.address, *LOOPBACK_NAMES] for host in outputs.hosts}
    below = [f"*.{domain}"] if project.stack.previews else []
    names["site"] = [domain, f"uploads.{domain}", *below, *LOOPBACK_NAMES, "::1", *addresses]
    certificates = ensure_certificates(project.state_dir, project.fleet_id, names)
    return FleetPlan(
        outputs=outputs,
        app=project.app,
        stack=project.stack,
        signers=signers(project),
        secrets=secrets,
        ca_file=certificates.ca,
        site_pem=certificates.servers["site"],
        host_pems={host.name: certificates.servers[host.name] for host in outputs.hosts},
        ssh_access="published",
        edge_names=(*LOOPBACK_NAMES, *addresses, *(host.name for host in edge)),
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
            for name in (OUTPUTS_FILE, "ssh_config", "known_hosts"):
                (project.state_dir / name).unlink(missing_ok=True)
            for folder in ("ssh", "tls"):
                shutil.rmtree(project.state_dir / folder, ignore_errors=True)
