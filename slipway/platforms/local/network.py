"""Which hosts a local fleet has, and each one's address, ports and disks, in a free network of this machine.

Addresses and ports depend on a host's name only, so that adding web3 moves no other host.
"""

import errno
import hashlib
import re
import shutil
import socket
import struct
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from pathlib import Path
from typing import Literal

from slipway.platforms.data_host import DataServices
from slipway.platforms.local.docker import Docker, find_docker
from slipway.platforms.platform import Diagnosis, fail, ok
from slipway.settings import BadInput, Host, Outputs, Role, SecretStore, SlipwayError, Stack

LOOPBACK = "127.0.0.1"
UPLOADS_PORT_ON_EDGE = 8444

UNITS_DISK = "/etc/systemd/system"
"""Holds the units of releases and all others; `containers` renews the others in a new container."""

RESOLVER = "127.0.0.11"
"""Docker's own name server, which it gives every container of a network."""
DISKS = ("/etc/slipway", "/var/lib/slipway", "/srv/slipway", UNITS_DISK)
"""What every host keeps when its container is replaced: releases, their envs and its state."""

DATA_DISKS = (
    "/etc/postgresql",
    "/var/lib/postgresql",
    "/var/lib/redis",
    "/var/lib/versitygw",
    "/var/backups",
)

EVERY_ROLE: tuple[Role, ...] = ("edge", "web", "worker", "data")
Image = Role | Literal["one"]
"""An image's name: that of a role, or of the host with all of them."""

_FIRST_ADDRESS: dict[Role, int] = {"edge": 10, "data": 20, "web": 101, "worker": 151}
_FIRST_SSH: dict[Role, int] = {"edge": 0, "data": 1, "web": 2, "worker": 18}


@dataclass(frozen=True)
class LocalHost:
    """One host as a container."""

    name: str
    roles: tuple[Role, ...]
    address: str
    published: tuple[tuple[int, int, str], ...]
    """(port on 127.0.0.1, port in the container, the setting that says so)."""
    disks: tuple[str, ...]

    @property
    def image(self) -> Image:
        """The image that has what its roles need."""
        return self.roles[0] if len(self.roles) == 1 else "one"

    @property
    def ssh_port(self) -> int:
        """Where its sshd answers on 127.0.0.1."""
        return next(outside for outside, inside, _ in self.published if inside == 22)


_POOLS = [IPv4Network(f"172.{second}.0.0/16") for second in (28, 29, 30, 31)] + [IPv4Network("10.213.0.0/16")]
_SUBNETS = "{{range .IPAM.Config}}{{.Subnet}} {{end}}"


def ensure_network(docker: Docker, fleet: str, labels: dict[str, str], outputs_file: Path) -> IPv4Network:
    """The docker network called `fleet`, made if missing, with the subnet that it has in `outputs_file`."""
    found = docker.inspect("network", fleet)
    if found:
        return IPv4Network(str(found[0]["IPAM"]["Config"][0]["Subnet"]))
    subnet = choose_subnet(fleet, [*_docker_subnets(docker), *_routes()], _remembered_subnet(outputs_file))
    flags = [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
    docker.run("network", "create", "--driver", "bridge", "--subnet", str(subnet), *flags, fleet)
    return subnet


def _remembered_subnet(outputs_file: Path) -> str | None:
    """The subnet that the fleet had before: with it, addresses and certificates stay."""
    try:
        held = Outputs.model_validate_json(outputs_file.read_bytes())
    except (OSError, ValueError):
        return None
    return str(IPv4Network(f"{held.hosts[0].address}/24", strict=False)) if held.hosts else None


def choose_subnet(fleet: str, taken: Iterable[IPv4Network], remembered: str | None = None) -> IPv4Network:
    """A /24 that overlaps nothing in `taken`: the remembered one, else one chosen by the fleet's name."""
    used = list(collapse_addresses(network for network in taken if network.prefixlen > 0))
    wanted = [IPv4Network(remembered)] if remembered else []
    for pool in _POOLS:
        subnets = list(pool.subnets(new_prefix=24))
        start = int.from_bytes(hashlib.sha256(fleet.encode()).digest()[:2], "big") % len(subnets)
        wanted += subnets[start:] + subnets[:start]
    for subnet in wanted:
        if not any(subnet.overlaps(other) for other in used):
            return subnet
    raise SlipwayError(
        "no free /24 for the fleet's network in 172.28.0.0-172.31.255.255 or 10.213.0.0/16",
        remedy="remove unused networks: docker network prune",
    )


def _docker_subnets(docker: Docker) -> list[IPv4Network]:
    names = docker.text("network", "ls", "--quiet").split()
    subnets = docker.text("network", "inspect", "--format", _SUBNETS, *names).split() if names else []
    return [IPv4Network(subnet) for subnet in subnets if "." in subnet]


def _routes(table: Path = Path("/proc/net/route")) -> list[IPv4Network]:
    """What this machine routes somewhere, without the default route."""
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    found = [(struct.pack("<L", int(row[1], 16)), struct.pack("<L", int(row[7], 16))) for row in rows]
    return [
        IPv4Network((int.from_bytes(address, "big"), int.from_bytes(mask, "big").bit_count()), strict=False)
        for address, mask in found
        if any(mask)
    ]


def lay_out(stack: Stack, network: IPv4Network) -> list[LocalHost]:
    """The fleet of `stack` in `network` (a /24). BadInput: a port given twice.

    Its hosts are edge, web…, worker… and data1; or one.
    """
    local = stack.local
    if local.one_host:
        hosts = [_host(stack, network, "one", EVERY_ROLE)]
    else:
        hosts = [
            _host(stack, network, "edge", ("edge",)),
            *(_host(stack, network, f"web{n}", ("web",), n) for n in range(1, local.web + 1)),
            *(_host(stack, network, f"worker{n}", ("worker",), n) for n in range(1, local.worker + 1)),
            _host(stack, network, "data1", ("data",)),
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


def _host(
    stack: Stack, network: IPv4Network, name: str, roles: tuple[Role, ...], number: int = 1
) -> LocalHost:
    local, first = stack.local, roles[0]
    published = [(local.ssh_port + _FIRST_SSH[first] + number - 1, 22, "ssh_port")]
    if "edge" in roles:
        published += [(local.https_port, 443, "https_port"), (local.http_port, 80, "http_port")]
        if stack.uploads:
            published.append((local.uploads_port, UPLOADS_PORT_ON_EDGE, "uploads_port"))
    return LocalHost(
        name=name,
        roles=roles,
        address=str(network[_FIRST_ADDRESS[first] + number - 1]),
        published=tuple(published),
        disks=(*DISKS, *DATA_DISKS) if "data" in roles else DISKS,
    )


def compose_outputs(
    stack: Stack, hosts: Sequence[LocalHost], host_keys: Mapping[str, str], *, state_dir: Path, secrets: Path
) -> Outputs:
    """What the local fleet promises to the pipeline; `secrets` is where the stack's encrypted file lies."""
    data = next(host for host in hosts if "data" in host.roles)
    services = DataServices(stack, data.name, data.address)
    return Outputs(
        stack=stack.name,
        platform="local",
        url=_url(stack.domain, stack.local.https_port),
        connect=f"{LOOPBACK}:{stack.local.https_port}",
        ca_file=str(state_dir / "tls/ca.pem"),
        hosts=[
            Host(
                name=host.name,
                roles=host.roles,
                address=host.address,
                ssh_host=LOOPBACK,
                ssh_port=host.ssh_port,
                ssh_user="root",
                host_key=host_keys[host.name],
            )
            for host in hosts
        ],
        ssh_config=str(state_dir / "ssh_config"),
        builds=services.builds(),
        uploads=services.uploads(_url(stack.domain, stack.local.uploads_port)),
        database=services.database(),
        redis=services.redis(),
        secrets=SecretStore(kind="age", location=str(secrets)),
    )


def _url(domain: str, port: int) -> str:
    return f"https://{domain}" if port == 443 else f"https://{domain}:{port}"


def refuse_ports_in_use(docker: Docker, stack: str, hosts: Iterable[LocalHost]) -> None:
    """BadInput naming every port that `hosts` (whose containers do not run yet) cannot have."""
    taken = [(port, setting) for host in hosts for port, _, setting in host.published if not is_free(port)]
    if not taken:
        return
    lines = [
        f"Pulumi.{stack}.yaml slipway:local {key}: port {port} is taken by {owner(docker, port)}"
        for port, key in taken
    ]
    raise BadInput(lines[0], details=lines[1:], remedy=f"stop it, or set {taken[0][1]} to a free port")


def is_free(port: int) -> bool:
    """Could something listen on 127.0.0.1:`port` now? (A port that needs rights is docker's to judge.)"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def owner(docker: Docker, port: int) -> str:
    """Who listens on `port`, as well as this user may know."""
    container = docker.text("ps", "--filter", f"publish={port}", "--format", "{{.Names}}")
    if container:
        return f"container {container.splitlines()[0]}"
    if shutil.which("ss"):
        listing = subprocess.run(
            ["ss", "-Hltnp", f"sport = :{port}"], check=False, capture_output=True, text=True
        )
        found = re.search(r'\("([^"]+)",pid=(\d+)', listing.stdout)
        if found:
            return f"{found[1]} (pid {found[2]})"
    return "another program"


def examine_ports(stack: Stack, fleet: str) -> Iterable[Diagnosis]:
    """The ports that `fleet` publishes are its own, or free."""
    client = Docker(find_docker() or "docker")
    running: set[str] = set()
    if find_docker() and client.problem() is None:
        running = set(client.text("ps", "--format", "{{.Names}}").split())
    taken = [
        (port, setting, owner(client, port) if running else "another program")
        for host in lay_out(stack, IPv4Network("10.0.0.0/24"))
        if f"{fleet}-{host.name}" not in running
        for port, _, setting in host.published
        if not is_free(port)
    ]
    for port, setting, who in taken:
        where = f"Pulumi.{stack.name}.yaml slipway:local {setting}"
        yield fail(f"{where}: port {port} is taken by {who}", f"stop it, or set {setting} to a free port")
    if not taken:
        yield ok("the fleet's ports on 127.0.0.1 are free or its own")
