"""Machines as someone rents them: plain Debian in containers, with sshd, a user who may sudo, and no more."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from slipway.platforms.local.bake import as_tar, bake
from slipway.platforms.local.daemon import ensure_daemon
from slipway.platforms.local.debian import ensure_debian
from slipway.platforms.local.docker import Docker
from slipway.platforms.local.image import base_recipe
from slipway.platforms.local.keys import host_key, operator_key
from slipway.platforms.local.mirror import find_mirror
from slipway.platforms.local.network import ensure_network
from slipway.platforms.local.recipes import Recipe
from slipway.platforms.local.spec import SYSTEMD
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
class Rented:
    """One machine, and what its landlord says of it."""

    name: str
    role: str
    address: str
    ssh_port: int
    host_key: str

    @property
    def setting(self) -> str:
        """Its entry in `slipway:machines`."""
        public = f", public: {self.address}" if self.role == "edge" else ""
        return (
            f"    - {{name: {self.name}, role: {self.role}, address: {self.address}, "
            f"ssh: {USER}@127.0.0.1:{self.ssh_port}, host_key: {self.host_key}{public}}}\n"
        )


@contextmanager
def rent(keys: Path) -> Generator[list[Rented]]:
    """One machine a role, in a network of their own; `keys` gets the ssh keys. Given back at the end."""
    docker = ensure_daemon(Silent())
    image = plain_machine(docker)
    _give_back(docker)
    try:
        subnet = ensure_network(docker, PREFIX, {}, None)
        machines = [
            Rented(role, role, str(subnet[10 + index]), free_port(), host_key(keys, role).public)
            for index, role in enumerate(ROLES)
        ]
        for machine in machines:
            _start(docker, image, machine, keys)
        yield machines
    finally:
        _give_back(docker)


def on(machine: str, script: str) -> str:
    return Docker().execute(f"{PREFIX}-{machine}", script).strip()


def plain_machine(docker: Docker) -> str:
    """Image of a machine as it is rented: nothing on it but Debian, sshd and Python."""
    mirror = find_mirror("bookworm")
    debian = ensure_debian(docker, "debian:bookworm-slim", mirror, Silent())
    like = base_recipe(debian, mirror)
    script = f"rm -f /etc/apt/sources.list.d/debian.sources\n{_SCRIPT}" if mirror else _SCRIPT
    return bake(docker, Recipe("plain-machine", debian, script, like.files))


def _start(docker: Docker, image: str, machine: Rented, keys: Path) -> None:
    name = f"{PREFIX}-{machine.name}"
    docker.run(
        *("create", "--name", name, "--hostname", machine.name, *SYSTEMD),
        *("--network", PREFIX, "--ip", machine.address),
        *("--publish", f"127.0.0.1:{machine.ssh_port}:22", image),
    )
    files = (
        ("/etc/ssh/ssh_host_ed25519_key", 0o600, host_key(keys, machine.name).path.read_bytes()),
        (f"/home/{USER}/.ssh/authorized_keys", 0o644, operator_key(keys).public.encode() + b"\n"),
    )
    docker.run("cp", "-", f"{name}:/", stdin=as_tar(files))
    docker.run("start", name)


def _give_back(docker: Docker) -> None:
    names = [f"{PREFIX}-{role}" for role in ROLES]
    docker.run("rm", "--force", "--volumes", *names, check=False)
    subprocess.run([docker.binary, "network", "rm", PREFIX], check=False, capture_output=True)
