"""Servers as a provider rents them out: plain Debian in containers, with sshd and a user who may sudo."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from slipway.platforms.local.bake import INIT_PATH, Recipe, as_tar, bake, base_recipe
from slipway.platforms.local.containers import SYSTEMD
from slipway.platforms.local.debian import apt_files, ensure_debian, extra_cas, find_mirror
from slipway.platforms.local.docker import Docker, ensure_daemon
from slipway.platforms.local.keys import host_key, operator_key
from slipway.platforms.local.network import ensure_network
from slipway.progress import Silent
from tests.s3 import free_port

PREFIX = "rnt"
USER = "deploy"
ROLES = ("edge", "web", "worker", "data")
_PACKAGES = "systemd systemd-sysv dbus libpam-systemd openssh-server python3 sudo"
_SCRIPT = f"""
rm -f /etc/apt/apt.conf.d/docker-clean
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends {_PACKAGES}
useradd --create-home --shell /bin/bash {USER}
echo '{USER} ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/{USER}
rm -f /etc/ssh/ssh_host_* /usr/sbin/policy-rc.d
: > /etc/machine-id
"""


@dataclass(frozen=True)
class PlainServer:
    """One server, with the facts that a provider gives about it."""

    name: str
    role: str
    address: str
    ssh_port: int
    host_key: str

    @property
    def setting(self) -> str:
        """Its entry in `slipway:servers`."""
        public = f", public: {self.address}" if self.role == "edge" else ""
        return (
            f"    - {{name: {self.name}, role: {self.role}, address: {self.address}, "
            f"ssh: {USER}@127.0.0.1:{self.ssh_port}, host_key: {self.host_key}{public}}}\n"
        )


@contextmanager
def plain_servers(keys: Path) -> Generator[list[PlainServer]]:
    """One server for each role, in a network of their own; `keys` gets the ssh keys. Removed at the end."""
    docker = ensure_daemon(Silent())
    image = plain_server(docker)
    _remove(docker)
    try:
        subnet = ensure_network(docker, PREFIX, {}, keys / "outputs.json")
        servers = [
            PlainServer(role, role, str(subnet[10 + index]), free_port(), host_key(keys, role).public)
            for index, role in enumerate(ROLES)
        ]
        for server in servers:
            _start(docker, image, server, keys)
        yield servers
    finally:
        _remove(docker)


def on(server: str, script: str) -> str:
    return Docker().execute(f"{PREFIX}-{server}", script).strip()


def plain_server(docker: Docker) -> str:
    """Image of a new server: Debian, sshd and Python, and nothing else."""
    mirror = find_mirror("bookworm")
    debian = ensure_debian(docker, "debian:bookworm-slim", mirror, Silent())
    like = base_recipe(debian, apt_files(mirror))
    script = f"rm -f /etc/apt/sources.list.d/debian.sources\n{_SCRIPT}" if mirror else _SCRIPT
    return bake(docker, Recipe("plain-server", debian, script, like.files))


def brought() -> tuple[str, ...]:
    """How a deviation begins that the image makes: this machine's ways to Debian, which no provider's has."""
    paths = [INIT_PATH, *(path for path, _, _ in apt_files(find_mirror("bookworm")))]
    return (*paths, *(["authority "] if extra_cas() else []))


def _start(docker: Docker, image: str, server: PlainServer, keys: Path) -> None:
    name = f"{PREFIX}-{server.name}"
    docker.run(
        *("create", "--name", name, "--hostname", server.name, *SYSTEMD),
        *("--network", PREFIX, "--ip", server.address),
        *("--publish", f"127.0.0.1:{server.ssh_port}:22", image),
    )
    files = (
        ("/etc/ssh/ssh_host_ed25519_key", 0o600, host_key(keys, server.name).path.read_bytes()),
        (f"/home/{USER}/.ssh/authorized_keys", 0o644, operator_key(keys).public.encode() + b"\n"),
    )
    docker.run("cp", "-", f"{name}:/", stdin=as_tar(files))
    docker.run("start", name)


def _remove(docker: Docker) -> None:
    names = [f"{PREFIX}-{role}" for role in ROLES]
    docker.run("rm", "--force", "--volumes", *names, check=False)
    subprocess.run([docker.binary, "network", "rm", PREFIX], check=False, capture_output=True)
