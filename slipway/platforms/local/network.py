"""The fleet's own network: a free /24, found once and kept for as long as the fleet lives."""

import errno
import hashlib
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterable
from ipaddress import IPv4Network, collapse_addresses
from pathlib import Path

from slipway.platforms.diagnosis import Diagnosis, fail, ok
from slipway.platforms.local.docker import Docker, find_docker
from slipway.platforms.local.layout import LOOPBACK, LocalHost, lay_out
from slipway.settings import BadInput, SlipwayError, Stack

_POOLS = [IPv4Network(f"172.{second}.0.0/16") for second in (28, 29, 30, 31)] + [IPv4Network("10.213.0.0/16")]


_SUBNETS = "{{range .IPAM.Config}}{{.Subnet}} {{end}}"


def ensure_network(docker: Docker, fleet: str, labels: dict[str, str], remembered: str | None) -> IPv4Network:
    """The docker network called `fleet`, made if missing; `remembered` is the subnet it had before."""
    found = docker.inspect("network", fleet)
    if found:
        return IPv4Network(str(found[0]["IPAM"]["Config"][0]["Subnet"]))
    subnet = choose_subnet(fleet, [*_docker_subnets(docker), *_routes()], remembered)
    flags = [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
    docker.run("network", "create", "--driver", "bridge", "--subnet", str(subnet), *flags, fleet)
    return subnet


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
