"""Opens a stack of servers: its outputs, and on this machine the files that ssh and TLS need to reach it."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.fleet.ssh_config import write_ssh_config
from slipway.platforms.fleet_setup.private_file import keep_private
from slipway.platforms.servers.entries import CA_CERTIFICATE, SITE
from slipway.platforms.servers.identity import ssh_identity
from slipway.platforms.servers.outputs import compose_outputs
from slipway.secrets.age_store import default_path
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project


def open_outputs(project: Project, secrets: Mapping[str, str]) -> Outputs:
    """The outputs, with ssh_config, known_hosts and CA certificate in the state folder as they must be.

    A few milliseconds. BadInput: the stack was never brought up, or its secrets are not this version's.
    """
    outputs = lay_out(project, secrets)
    authority = secrets.get(CA_CERTIFICATE)
    if not authority:
        raise BadInput(
            f"stack {project.stack.name} is not up: its secret store has no {CA_CERTIFICATE}",
            remedy=f"slipway up --stack {project.stack.name}; then commit {outputs.secrets.location}",
        )
    keep_private(project.state_dir / "tls/ca.pem", authority.strip().encode() + b"\n")
    return outputs


def lay_out(project: Project, secrets: Mapping[str, str]) -> Outputs:
    """The outputs, and ssh's files; all that `up` can have before the fleet has an authority."""
    outputs = compose_outputs(
        project.stack,
        state_dir=project.state_dir.resolve(),
        secrets=default_path(project.root, project.stack),
        public_site=bool(secrets.get(SITE)),
    )
    write_ssh_config(outputs.hosts, project.state_dir.resolve(), ssh_identity(project.state_dir.resolve()))
    return outputs
