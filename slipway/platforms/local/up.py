"""`slipway up` of a local fleet: from whatever is there to five hosts that are set up and healthy."""

from __future__ import annotations

from ipaddress import IPv4Network

from slipway.fleet.ssh_config import write_ssh_config
from slipway.platforms.fleet_setup.lock import only_one
from slipway.platforms.fleet_setup.platform_secrets import ensure_platform_secrets
from slipway.platforms.fleet_setup.private_file import write_private
from slipway.platforms.local.containers import Fleet
from slipway.platforms.local.daemon import ensure_daemon
from slipway.platforms.local.health import wait_for_releases, wait_for_services, wait_for_ssh
from slipway.platforms.local.image import ensure_images
from slipway.platforms.local.kernel import raise_limits
from slipway.platforms.local.keys import host_key, operator_key
from slipway.platforms.local.layout import LocalHost, lay_out
from slipway.platforms.local.network import ensure_network
from slipway.platforms.local.outputs import compose_outputs
from slipway.platforms.local.plan import fleet_plan
from slipway.progress import Progress
from slipway.secrets.age_store import default_path
from slipway.secrets.store import open_store
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project

OUTPUTS = "outputs.json"


def up(project: Project, progress: Progress) -> Outputs:
    """Bring the fleet up, or in line with its settings; what is as it should be is left alone.

    Cold some minutes, warm some seconds. BadInput: Docker or a port is missing; NeedsPerson: a host or
    service does not come up.
    """
    from hosts.set_up import set_up  # noqa: PLC0415 - pyinfra takes long to import

    with only_one(project):
        secrets = ensure_platform_secrets(open_store(project))
        with progress.phase("docker"):
            docker = ensure_daemon(progress)
            fleet = Fleet(docker, project)
            fleet.refuse_foreign(fleet.states(), gone_too=True)
        with progress.phase("images"):
            images = ensure_images(docker, project.stack.local.image, progress)
        with progress.phase("containers"):
            subnet = ensure_network(docker, fleet.name, fleet.labels, _remembered_subnet(project))
            hosts = lay_out(project.stack, subnet)
            outputs = _outputs(project, hosts)
            raise_limits(progress)
            started = fleet.ensure(hosts, images, progress)
            wait_for_ssh(fleet, hosts)
        with progress.phase("set up"):
            set_up(fleet_plan(project, outputs, secrets), progress)
        with progress.phase("health"):
            wait_for_services(fleet, outputs)
            wait_for_releases(fleet, [host for host in hosts if host.name in started], progress)
        write_private(project.state_dir / OUTPUTS, outputs.model_dump_json(indent=2).encode() + b"\n")
    return outputs


def _outputs(project: Project, hosts: list[LocalHost]) -> Outputs:
    keys = {host.name: host_key(project.state_dir, host.name).public for host in hosts}
    outputs = compose_outputs(
        project.stack,
        hosts,
        keys,
        state_dir=project.state_dir.resolve(),
        secrets=default_path(project.root, project.stack),
    )
    write_ssh_config(outputs.hosts, project.state_dir, operator_key(project.state_dir).path)
    return outputs


def _remembered_subnet(project: Project) -> str | None:
    """The subnet of the fleet's last time, so that addresses and certificates stay as they were."""
    try:
        held = Outputs.model_validate_json((project.state_dir / OUTPUTS).read_bytes())
    except (OSError, ValueError):
        return None
    return str(IPv4Network(f"{held.hosts[0].address}/24", strict=False)) if held.hosts else None
