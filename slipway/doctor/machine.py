"""The operator's machine: Python, OpenSSH, git, disk space, package registry."""

import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from slipway.build.sandbox import UNSANDBOXED, refusal
from slipway.platforms.platform import Diagnosis, fail, ok, warn
from slipway.settings import Project

LEAST_GIB = 2
ENOUGH_GIB = 10
REGISTRY_SECONDS = 15
ENGINE = "apt-get install buildah"


def python(project: Project | None) -> Iterable[Diagnosis]:
    """Python itself, and uv where the app's builds need it."""
    yield ok(f"Python {platform.python_version()} at {sys.executable}")
    needs_uv = project is not None and project.app.runtime.name == "python"
    if shutil.which("uv"):
        yield ok("uv is on PATH")
    elif needs_uv:
        yield fail("uv is not on PATH, and the app's runtime is python", "pipx install uv")
    else:
        yield warn("uv is not on PATH", "pipx install uv; only apps on Python need it to be built")


def ssh_client(project: Project | None) -> Iterable[Diagnosis]:
    """OpenSSH, by which hosts are reached."""
    del project
    missing = [tool for tool in ("ssh", "ssh-keygen") if shutil.which(tool) is None]
    if missing:
        yield fail(f"{' and '.join(missing)} not found", "apt-get install openssh-client")
    else:
        yield ok("OpenSSH client is installed")


def build_sandbox(project: Project | None) -> Iterable[Diagnosis]:
    """Commands of a build can be kept from this machine's secrets."""
    why = refusal()
    if why is None:
        yield ok("build commands run in a sandbox (bubblewrap)")
    elif project is not None and project.stack.unsandboxed_build:
        yield warn(UNSANDBOXED, "set slipway:unsandboxed_build: false once there is a sandbox")
    else:
        yield fail(f"no sandbox for build commands: {why[0]}", why[1])
    runtime = project.app.runtime if project is not None else None
    if runtime and runtime.name == "image" and not (runtime.archive or _has_engine()):
        yield fail("the app is a container image, and there is neither docker nor buildah", ENGINE)


def _has_engine() -> bool:
    return any(shutil.which(name) for name in ("docker", "buildah"))


def git(project: Project | None) -> Iterable[Diagnosis]:
    """git, by which a build knows its commit."""
    del project
    if shutil.which("git"):
        yield ok("git is installed")
    else:
        yield warn("git not found: builds will not name their commit", "apt-get install git")


def disk(project: Project | None) -> Iterable[Diagnosis]:
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


def npm_registry(project: Project | None) -> Iterable[Diagnosis]:
    """The registry that Bun, Deno and Node come from answers."""
    if project is not None and project.app.runtime.name not in {"bun", "deno", "node"}:
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
