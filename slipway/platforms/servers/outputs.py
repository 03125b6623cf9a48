"""The stack outputs of a fleet of servers, composed from its settings alone. Pure; every command does it."""

from __future__ import annotations

from pathlib import Path

from slipway.platforms.fleet_setup.data_services import DataServices
from slipway.settings.outputs import Host, Outputs, SecretStore
from slipway.settings.stack import Server, Stack


def compose_outputs(stack: Stack, *, state_dir: Path, secrets: Path, public_site: bool) -> Outputs:
    """What the servers in `stack` promise to the pipeline.

    `secrets` is the stack's encrypted file. `public_site`: a public authority signed the site's certificate,
    so that the fleet's own counts for its services only.
    """
    data = next(server for server in stack.servers if server.role == "data")
    edge = next(server for server in stack.servers if server.role == "edge")
    services = DataServices(stack, data.name, data.address)
    ca_file = str(state_dir / "tls/ca.pem")
    return Outputs(
        stack=stack.name,
        platform="servers",
        url=f"https://{stack.domain}",
        connect=f"{edge.public or edge.ssh_host}:443",
        ca_file="" if public_site else ca_file,
        hosts=[_host(server) for server in stack.servers],
        ssh_config=str(state_dir / "ssh_config"),
        builds=services.builds(ca_file),
        uploads=services.uploads(f"https://{uploads_name(stack)}", ca_file),
        database=services.database(),
        redis=services.redis(),
        secrets=SecretStore(kind="age", location=str(secrets)),
    )


def uploads_name(stack: Stack) -> str:
    """The name that browsers upload to, on the site's own port."""
    return f"uploads.{stack.domain}"


def site_names(stack: Stack) -> list[str]:
    """The names that the site's certificate must be for."""
    return [stack.domain, *([uploads_name(stack)] if stack.uploads else [])]


def _host(server: Server) -> Host:
    return Host(
        name=server.name,
        role=server.role,
        address=server.address,
        ssh_host=server.ssh_host,
        ssh_port=server.ssh_port,
        ssh_user=server.ssh_user,
        host_key=server.host_key,
    )
