"""The stack outputs of a local fleet, composed from its settings and its hosts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway.platforms.fleet_setup.data_services import DataServices
from slipway.platforms.local.layout import LocalHost
from slipway.platforms.local.ports import LOOPBACK
from slipway.settings.outputs import Host, Outputs, SecretStore
from slipway.settings.stack import Stack


def compose_outputs(
    stack: Stack, hosts: Sequence[LocalHost], host_keys: Mapping[str, str], *, state_dir: Path, secrets: Path
) -> Outputs:
    """What the local fleet promises to the pipeline; `secrets` is where the stack's encrypted file lies."""
    data = next(host for host in hosts if host.role == "data")
    services = DataServices(stack, data.name, data.address)
    return Outputs(
        stack=stack.name,
        platform="local",
        url=_url(stack.domain, stack.local.https_port),
        connect=f"{LOOPBACK}:{stack.local.https_port}",
        ca_file=str(state_dir / "tls/ca.pem"),
        hosts=[_host(host, host_keys[host.name]) for host in hosts],
        ssh_config=str(state_dir / "ssh_config"),
        builds=services.builds(),
        uploads=services.uploads(_url(stack.domain, stack.local.uploads_port)),
        database=services.database(),
        redis=services.redis(),
        secrets=SecretStore(kind="age", location=str(secrets)),
    )


def _host(host: LocalHost, key: str) -> Host:
    return Host(
        name=host.name,
        role=host.role,
        address=host.address,
        ssh_host=LOOPBACK,
        ssh_port=host.ssh_port,
        ssh_user="root",
        host_key=key,
    )


def _url(domain: str, port: int) -> str:
    return f"https://{domain}" if port == 443 else f"https://{domain}:{port}"
