"""The operator's machine: tools, Docker, room, and ports for a local fleet."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from slipway.platforms.diagnosis import Finding, fail, ok, warn
from slipway.platforms.local.daemon import why_not
from slipway.platforms.local.docker import Docker, find_docker
from slipway.platforms.local.layout import lay_out
from slipway.platforms.local.network import is_free, owner
from slipway.settings.project import Project

LEAST_GIB = 2
ENOUGH_GIB = 10
REGISTRY_SECONDS = 15


def python(project: Project | None) -> Iterable[Finding]:
    """Python itself, and uv where the app's builds need it."""
    yield ok(f"Python {platform.python_version()} at {sys.executable}")
    needs_uv = project is not None and project.app.runtime.name == "python"
    if shutil.which("uv"):
        yield ok("uv is on PATH")
    elif needs_uv:
        yield fail("uv is not on PATH, and the app's runtime is python", "pipx install uv")
    else:
        yield warn("uv is not on PATH", "pipx install uv; only apps on Python need it to be built")


def ssh_client(project: Project | None) -> Iterable[Finding]:
    """OpenSSH, by which hosts are reached."""
    del project
    missing = [tool for tool in ("ssh", "ssh-keygen") if shutil.which(tool) is None]
    if missing:
        yield fail(f"{' and '.join(missing)} not found", "apt-get install openssh-client")
    else:
        yield ok("OpenSSH client is installed")


def git(project: Project | None) -> Iterable[Finding]:
    """git, by which a build knows its commit."""
    del project
    if shutil.which("git"):
        yield ok("git is installed")
    else:
        yield warn("git not found: builds will not name their commit", "apt-get install git")


def docker(project: Project | None) -> Iterable[Finding]:
    """Docker, for local fleets: there, running, and open to this user."""
    if project is not None and project.stack.platform != "local":
        return
    binary = find_docker()
    if binary is None:
        if os.geteuid() == 0 and shutil.which("apt-get"):
            yield warn(
                "Docker is not installed", "`slipway up --stack local` installs it from the distribution"
            )
        else:
            yield fail("Docker is not installed", "sudo apt-get install docker.io")
        return
    problem = why_not(Docker(binary))
    if problem is None:
        yield ok("Docker's daemon answers")
    elif "permission denied" in problem.lower():
        yield fail(
            "Docker refuses this user: no permission on its socket",
            "sudo usermod -aG docker $USER and sign in again",
        )
    elif os.geteuid() == 0:
        yield warn(f"Docker's daemon does not answer: {problem}", "`slipway up --stack local` starts it")
    else:
        yield fail(f"Docker's daemon does not answer: {problem}", "sudo systemctl start docker")


def ports(project: Project | None) -> Iterable[Finding]:
    """The ports of a local fleet are its own, or free."""
    if project is None or project.stack.platform != "local":
        return
    client = Docker(find_docker() or "docker")
    running: set[str] = set()
    if find_docker() and why_not(client) is None:
        running = set(client.text("ps", "--format", "{{.Names}}").split())
    taken = [
        (port, setting, owner(client, port) if running else "another program")
        for host in lay_out(project.stack, IPv4Network("10.0.0.0/24"))
        if f"{project.fleet_id}-{host.name}" not in running
        for port, _, setting in host.published
        if not is_free(port)
    ]
    for port, setting, who in taken:
        where = f"Pulumi.{project.stack.name}.yaml slipway:local {setting}"
        yield fail(f"{where}: port {port} is taken by {who}", f"stop it, or set {setting} to a free port")
    if not taken:
        yield ok("the fleet's ports on 127.0.0.1 are free or its own")


def disk(project: Project | None) -> Iterable[Finding]:
    """Room for builds, and for the containers of a local fleet."""
    places = {
        Path(project.root if project else Path.cwd()),
        Path.home(),
        Path("/var/lib/docker"),
        Path(tempfile.gettempdir()),
    }
    seen: set[int] = set()
    for place in sorted(path for path in places if path.exists()):
        device = place.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(place).free / 2**30
        said = f"{free:.1f} GiB free on the disk of {place}"
        if free < LEAST_GIB:
            yield fail(said, "docker system df and du -sh ~/.cache/slipway show what takes room")
        elif free < ENOUGH_GIB:
            yield warn(said, f"a first `slipway up --stack local` wants {ENOUGH_GIB} GiB")
        else:
            yield ok(said)


def npm_registry(project: Project | None) -> Iterable[Finding]:
    """The registry that Bun and Node come from answers."""
    if project is not None and project.app.runtime.name not in {"bun", "node"}:
        return
    if shutil.which("npm") is None:
        yield (
            ok("npm is fetched from PyPI when a build needs it")
            if shutil.which("uvx")
            else warn("neither npm nor uv is on PATH: runtimes cannot be fetched", "pipx install uv")
        )
        return
    try:
        done = subprocess.run(["npm", "ping"], capture_output=True, check=False, timeout=REGISTRY_SECONDS)
        answered = done.returncode == 0
    except subprocess.TimeoutExpired:
        answered = False
    if answered:
        yield ok("the npm registry answers")
    else:
        yield warn(
            "the npm registry does not answer: a runtime or package that is not cached cannot be fetched",
            "npm config get registry; npm ping",
        )
