"""Servers as a provider rents them out: plain Debian in containers, with sshd and a user who may sudo."""

import socket
import ssl
import subprocess
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from slipway.platforms.local.bake import INIT_PATH, Recipe, as_tar, bake, base_recipe
from slipway.platforms.local.containers import SYSTEMD
from slipway.platforms.local.debian import apt_files, ensure_debian, extra_cas, find_mirror
from slipway.platforms.local.docker import Docker, ensure_daemon
from slipway.platforms.local.keys import host_key, operator_key
from slipway.platforms.local.network import ensure_network
from slipway.progress import Silent
from slipway.secrets import age
from slipway.secrets.ssh_signature import make_key
from slipway.settings.debian import Debian
from tests.debian import DEBIAN
from tests.fleet.command import Ran, slipway
from tests.fleet.conftest import refresh_app
from tests.ports import free_port

PREFIX = "rnt"
STACK = "trial"
DOMAIN = "board.servers.example"
USER = "deploy"
APART = {"edge": "edge", "web": "web", "worker": "worker", "data": "data"}
"""By name, the roles of each server as the settings write them."""
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
    """As the settings write it: `web`, or `[edge, web]`."""
    address: str
    ssh_port: int
    host_key: str

    @property
    def setting(self) -> str:
        """Its entry in `slipway:servers`."""
        public = f", public: {self.address}" if "edge" in self.role else ""
        return (
            f"    - {{name: {self.name}, role: {self.role}, address: {self.address}, "
            f"ssh: {USER}@127.0.0.1:{self.ssh_port}, host_key: {self.host_key}{public}}}\n"
        )


@contextmanager
def plain_servers(
    keys: Path, roles: Mapping[str, str] = APART, debian: Debian = DEBIAN
) -> Generator[list[PlainServer]]:
    """Servers by name and roles, in a network of their own; `keys` gets the ssh keys. Removed at the end."""
    docker = ensure_daemon(Silent())
    image = plain_server(docker, debian)
    _remove(docker, roles)
    try:
        subnet = ensure_network(docker, PREFIX, {}, keys / "outputs.json")
        servers = [
            PlainServer(name, role, str(subnet[10 + index]), free_port(), host_key(keys, name).public)
            for index, (name, role) in enumerate(roles.items())
        ]
        for server in servers:
            _start(docker, image, server, keys, keys)
        for server in servers:
            _wait_for_sshd(server)
        yield servers
    finally:
        _remove(docker, roles)


def on(server: str, script: str) -> str:
    return Docker().execute(f"{PREFIX}-{server}", script).strip()


def plain_server(docker: Docker, debian: Debian = DEBIAN) -> str:
    """Image of a new server: Debian, sshd and Python, and nothing else."""
    mirror = find_mirror(debian.suite)
    image = ensure_debian(docker, debian.image, mirror, Silent())
    like = base_recipe(image, apt_files(mirror))
    script = f"rm -f /etc/apt/sources.list.d/debian.sources\n{_SCRIPT}" if mirror else _SCRIPT
    return bake(docker, Recipe("plain-server", image, script, like.files))


def reinstalled(server: PlainServer, keys: Path, debian: Debian) -> PlainServer:
    """`server`, switched off and made again on `debian`, as a provider does it: with another host key."""
    docker = Docker()
    docker.run("stop", "--time", "120", f"{PREFIX}-{server.name}", timeout=150)
    _remove(docker, [server.name])
    again = replace(server, host_key=host_key(keys / debian.suite, server.name).public)
    _start(docker, plain_server(docker, debian), again, keys, keys / debian.suite)
    _wait_for_sshd(again)
    return again


def brought() -> tuple[str, ...]:
    """How a deviation begins that the image makes: this machine's ways to Debian, which no provider's has."""
    paths = [INIT_PATH, *(path for path, _, _ in apt_files(find_mirror(DEBIAN.suite)))]
    return (*paths, *(["authority "] if extra_cas() else []))


def _start(docker: Docker, image: str, server: PlainServer, keys: Path, host_keys: Path) -> None:
    name = f"{PREFIX}-{server.name}"
    docker.run(
        *("create", "--name", name, "--hostname", server.name, *SYSTEMD),
        *("--network", PREFIX, "--ip", server.address),
        *("--publish", f"127.0.0.1:{server.ssh_port}:22", image),
    )
    files = (
        ("/etc/ssh/ssh_host_ed25519_key", 0o600, host_key(host_keys, server.name).path.read_bytes()),
        (f"/home/{USER}/.ssh/authorized_keys", 0o644, operator_key(keys).public.encode() + b"\n"),
    )
    docker.run("cp", "-", f"{name}:/", stdin=as_tar(files))
    docker.run("start", name)
    ends = time.monotonic() + 60
    while not _greets(server.ssh_port):
        assert time.monotonic() < ends, f"sshd of {server.name} does not answer"
        time.sleep(0.2)


def _greets(port: int) -> bool:
    """Whether sshd answers; Docker accepts the connection before it does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _wait_for_sshd(server: PlainServer) -> None:
    """Docker's proxy accepts before the server listens, so the greeting is what counts."""
    deadline = time.monotonic() + 60
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", server.ssh_port), 2) as connection:
            if connection.recv(4) == b"SSH-":
                return
        assert time.monotonic() < deadline, f"no sshd on {server.name}"
        time.sleep(0.2)


def _remove(docker: Docker, servers: Iterable[str]) -> None:
    names = [f"{PREFIX}-{name}" for name in servers]
    docker.run("rm", "--force", "--volumes", *names, check=False, timeout=400)
    subprocess.run([docker.binary, "network", "rm", PREFIX], check=False, capture_output=True)


@dataclass
class Laptop:
    """A clone of the project, and the keys by which its owner works."""

    root: Path
    env: dict[str, str]
    servers: list[PlainServer]

    def run(self, *args: str) -> Ran:
        return slipway(self.root, *args, "--stack", STACK, timeout=400, env=self.env)

    def done(self, *args: str) -> Ran:
        ran = self.run(*args)
        assert ran.code == 0, ran.out + ran.err
        return ran

    def list_servers(self, servers: list[PlainServer]) -> None:
        (self.root / f"Pulumi.{STACK}.yaml").write_text(
            f"config:\n  slipway:platform: servers\n  slipway:app: board\n  slipway:domain: {DOMAIN}\n"
            "  slipway:servers:\n" + "".join(server.setting for server in servers)
        )


@contextmanager
def laptop_with(folder: Path, roles: Mapping[str, str] = APART, debian: Debian = DEBIAN) -> Generator[Laptop]:
    """A project in `folder` whose stack `trial` lists new servers; nothing is set up yet."""
    root = folder / "laptop"
    root.mkdir()
    (folder / "age.key").write_text(f"{age.new_key()}\n")
    make_key(folder / "signing", "slipway releases")
    (root / "Pulumi.yaml").write_text("name: rnt\nruntime: python\nmain: infra/\n")
    with plain_servers(folder / "keys", roles, debian) as servers:
        env = {
            "SLIPWAY_AGE_KEY_FILE": str(folder / "age.key"),
            "SLIPWAY_SSH_KEY_FILE": str(operator_key(folder / "keys").path),
            "SLIPWAY_SIGNING_KEY_FILE": str(folder / "signing"),
        }
        made = Laptop(root, env, servers)
        made.list_servers(servers)
        refresh_app(root)
        yield made


def edge(laptop: Laptop) -> httpx.Client:
    """Connects to the edge's address, with the site's name in TLS and Host."""
    context = ssl.create_default_context(cafile=str(laptop.root / f".slipway/{STACK}/tls/ca.pem"))
    client = httpx.Client(
        base_url=f"https://{laptop.servers[0].address}", verify=context, headers={"Host": DOMAIN}
    )
    client.event_hooks["request"].append(named)
    return client


def named(request: httpx.Request) -> None:
    request.extensions = {**request.extensions, "sni_hostname": DOMAIN}


def health(laptop: Laptop) -> dict[str, object]:
    with edge(laptop) as client:
        return client.get("/health").raise_for_status().json()


def reds(results: list[dict[str, Any]]) -> dict[str, str]:
    """By id, why checks failed, without what the test's own image brings."""
    found: dict[str, str] = {}
    for each in results:
        if each["verdict"] == "fail":
            ours = [part for part in each["reason"].split("; ") if not part.startswith(brought())]
            found |= {each["id"]: "; ".join(ours)} if ours else {}
    # Debian's own image may be older than its newest fixes.
    found.pop("I11/no-security-update-is-pending", None)
    return found
