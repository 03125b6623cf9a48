"""The peers: each deploys a version of the app's files, and goes back to the version before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
from abc import ABC, abstractmethod
from pathlib import Path

from bench.commands import slipway
from bench.peers.site import EDGE_SOCKET, KEPT, PORT, ROOT, Site, run
from bench.record import note

HERE = Path(__file__).parent
PACKAGES = {"rsync": "rsync", "cap": "capistrano"}
"""Debian's package by program."""
ANSIBLE = "ansible-core==2.19.*"
"""The version of Debian 13, from PyPI: Debian 12's (2.14) cannot work on hosts with Python 3.12 or newer."""


class Peer(ABC):
    """One way to deploy. `release` changes a line of the app first."""

    name: str
    shown: str
    needs_site = True
    """Whether it deploys to the peers' site, and not by slipway."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        folder.mkdir()
        self.versions: list[str] = []

    def release(self) -> None:
        """Change a line and deploy it; returns when the command has ended."""
        change(self.site.app / "public" / "bench.txt")
        self.versions.append(f"v{time.time_ns()}")
        self.deploy(self.versions[-1])

    def rollback(self) -> None:
        """Back to the version before."""
        self.versions.pop()
        self.deploy(self.versions[-1])

    @abstractmethod
    def deploy(self, version: str) -> None:
        """Make `version` current on all web hosts; it is there already if this is a rollback."""


class Slipway(Peer):
    """slipway itself, without an observation window: its peers have none."""

    name, shown, needs_site = "slipway", "slipway", False

    def __init__(self, site: Site, folder: Path) -> None:
        super().__init__(site, folder)
        self._stack = site.live.name
        self.changing = site.live.app_dir / "public" / "bench.txt"

    def release(self) -> None:
        change(self.changing)
        options = ("--stack", self._stack, "--observe", "0", "--no-checks")
        slipway(self.site.live.project.root, "release", *options)

    def rollback(self) -> None:
        slipway(self.site.live.project.root, "rollback", "--stack", self._stack)

    def resume(self) -> None:
        """Allow the next release after a rollback."""
        slipway(self.site.live.project.root, "resume", "--stack", self._stack)

    def deploy(self, version: str) -> None:
        raise NotImplementedError


class Ansible(Peer):
    """A rolling playbook that takes each host out of the edge."""

    name, shown = "ansible", "Ansible, a rolling playbook with edge drain"

    def __init__(self, site: Site, folder: Path) -> None:
        super().__init__(site, folder)
        run(["uv", "venv", "--quiet", str(folder / "venv")])
        self._bin = folder / "venv" / "bin"
        run(["uv", "pip", "install", "--quiet", "--python", str(self._bin / "python"), ANSIBLE])

    def deploy(self, version: str) -> None:
        site = self.site
        archive = self.folder / f"{version}.tar.gz"
        if not archive.exists():
            with tarfile.open(archive, "w:gz") as packed:
                packed.add(site.app, ".")
        hosts = "\n".join(host.name for host in site.web)
        (self.folder / "inventory").write_text(f"[web]\n{hosts}\n[edge]\n{site.edge.name}\n")
        names = {
            "root": ROOT,
            "version": version,
            "archive": str(archive),
            "port": str(PORT),
            "ready": site.ready,
            "socket": EDGE_SOCKET,
            "edge": site.edge.name,
        }
        values = [part for name, value in names.items() for part in ("-e", f"{name}={value}")]
        values += ["-e", f'{{"kept": ["{KEPT[0]}", "{KEPT[1]}"]}}']
        env = {
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_SSH_ARGS": f"-F {site.ssh_config} -o ControlMaster=auto -o ControlPersist=60s",
            # The stack's ssh_config says where each connection is kept.
            "ANSIBLE_SSH_CONTROL_PATH": f"{self.folder}/%%n",
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
        }
        playbook = str(HERE / "ansible" / "rolling.yml")
        run(
            [str(self._bin / "ansible-playbook"), "-i", str(self.folder / "inventory"), *values, playbook],
            env=_clean_env() | env,
        )


class Capistrano(Peer):
    """`cap production deploy`: a link, and one restart after the other."""

    name, shown = "capistrano", "Capistrano, restarts in sequence"

    def __init__(self, site: Site, folder: Path) -> None:
        super().__init__(site, folder)
        shutil.copytree(HERE / "capistrano", folder, dirs_exist_ok=True)

    def deploy(self, version: str) -> None:
        del version
        self._cap("deploy")

    def rollback(self) -> None:
        self._cap("deploy:rollback")

    def _cap(self, task: str) -> None:
        site = self.site
        env = {
            "PEERS_ROOT": ROOT,
            "PEERS_SOURCE": str(site.app),
            "PEERS_SSH_CONFIG": str(site.ssh_config),
            "PEERS_WEB": ",".join(host.name for host in site.web),
            "PEERS_READY": f"http://127.0.0.1:{PORT}{site.ready}",
        }
        run(["cap", "production", task], self.folder, _clean_env() | env)


class Pyinfra(Peer):
    """`pyinfra INVENTORY deploy.py`, the pyinfra that slipway itself uses."""

    name, shown = "pyinfra", "pyinfra, a plain deploy with restarts in sequence"

    def deploy(self, version: str) -> None:
        site = self.site
        data = {
            "ssh_config_file": site.ssh_config,
            "ssh_strict_host_key_checking": "yes",
            "root": ROOT,
            "version": version,
            "source": site.app,
            "kept": ",".join(KEPT),
            "ready": f"http://127.0.0.1:{PORT}{site.ready}",
        }
        values = [part for name, value in data.items() for part in ("--data", f"{name}={value}")]
        hosts = ",".join(host.name for host in site.web)
        program = str(Path(sys.executable).with_name("pyinfra"))
        run([program, "-y", *values, hosts, str(HERE / "pyinfra" / "deploy.py")], self.folder, _clean_env())


PEERS: dict[str, type[Peer]] = {each.name: each for each in (Slipway, Ansible, Capistrano, Pyinfra)}


def install() -> None:
    """Install by apt what the peers need and is missing; ends this program if that is not possible."""
    packages = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not packages:
        return
    note(f"installing {' '.join(packages)} by apt")
    become = [] if os.geteuid() == 0 else ["sudo", "-n"]
    options = ["-o", "DPkg::Lock::Timeout=300", "-y", "--no-install-recommends"]
    command = [*become, "apt-get", "install", *options, *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"apt install {' '.join(packages)} failed: {done.stderr}")


def change(file: Path) -> None:
    """Change the one line of `file`."""
    file.write_text(f"{time.time_ns()}\n")


def _clean_env() -> dict[str, str]:
    """The environment without this project's virtual environment, which is not the peers'."""
    own = str(Path(sys.executable).parent)
    path = ":".join(part for part in os.environ["PATH"].split(":") if part != own)
    return {**{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}, "PATH": path}
