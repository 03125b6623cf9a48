"""Which hosts a local fleet has, and each one's address, ports and disks. Pure: a table made from settings.

Addresses and ports depend on a host's name only, so that adding web3 moves no other host.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from slipway.platforms.data_host import DataServices
from slipway.settings import BadInput, Host, Outputs, Role, SecretStore, Stack

LOOPBACK = "127.0.0.1"
UPLOADS_PORT_ON_EDGE = 8444

UNITS_DISK = "/etc/systemd/system"
"""Holds the units of releases and all others; `containers` renews the others in a new container."""

DISKS = ("/etc/slipway", "/var/lib/slipway", "/srv/slipway", UNITS_DISK)
"""What every host keeps when its container is replaced: releases, their envs and its state."""

DATA_DISKS = (
    "/etc/postgresql",
    "/var/lib/postgresql",
    "/var/lib/redis",
    "/var/lib/versitygw",
    "/var/backups",
)

_FIRST_ADDRESS: dict[Role, int] = {"edge": 10, "data": 20, "web": 101, "worker": 151}
_FIRST_SSH: dict[Role, int] = {"edge": 0, "data": 1, "web": 2, "worker": 18}


@dataclass(frozen=True)
class LocalHost:
    """One host as a container."""

    name: str
    role: Role
    address: str
    published: tuple[tuple[int, int, str], ...]
    """(port on 127.0.0.1, port in the container, the setting that says so)."""
    disks: tuple[str, ...]

    @property
    def ssh_port(self) -> int:
        """Where its sshd answers on 127.0.0.1."""
        return next(outside for outside, inside, _ in self.published if inside == 22)


def lay_out(stack: Stack, network: IPv4Network) -> list[LocalHost]:
    """The fleet of `stack` in `network` (a /24): edge, web…, worker…, data1. BadInput: a port given twice."""
    hosts = [
        _host(stack, network, "edge", 1),
        *(_host(stack, network, "web", number) for number in range(1, stack.local.web + 1)),
        *(_host(stack, network, "worker", number) for number in range(1, stack.local.worker + 1)),
        _host(stack, network, "data", 1),
    ]
    ports = Counter(outside for host in hosts for outside, _, _ in host.published)
    for host in hosts:
        for port, _, setting in host.published:
            if ports[port] > 1 or port > 65535:
                problem = "is no port" if port > 65535 else "is used twice"
                where = f"Pulumi.{stack.name}.yaml slipway:local {setting}"
                raise BadInput(
                    f"{where}: port {port}, for {host.name}, {problem}",
                    remedy="choose ports that are 26 or more apart from ssh_port, and from each other",
                )
    return hosts


def _host(stack: Stack, network: IPv4Network, role: Role, number: int) -> LocalHost:
    local = stack.local
    published = [(local.ssh_port + _FIRST_SSH[role] + number - 1, 22, "ssh_port")]
    if role == "edge":
        published += [(local.https_port, 443, "https_port"), (local.http_port, 80, "http_port")]
        if stack.uploads:
            published.append((local.uploads_port, UPLOADS_PORT_ON_EDGE, "uploads_port"))
    return LocalHost(
        name="edge" if role == "edge" else f"{role}{number}",
        role=role,
        address=str(network[_FIRST_ADDRESS[role] + number - 1]),
        published=tuple(published),
        disks=(*DISKS, *DATA_DISKS) if role == "data" else DISKS,
    )


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
        hosts=[_output_host(host, host_keys[host.name]) for host in hosts],
        ssh_config=str(state_dir / "ssh_config"),
        builds=services.builds(),
        uploads=services.uploads(_url(stack.domain, stack.local.uploads_port)),
        database=services.database(),
        redis=services.redis(),
        secrets=SecretStore(kind="age", location=str(secrets)),
    )


def _output_host(host: LocalHost, key: str) -> Host:
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
