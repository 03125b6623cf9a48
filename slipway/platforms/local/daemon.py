"""A Docker whose daemon answers: found, started or installed, or a message that says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from slipway.platforms.local.debian import install
from slipway.platforms.local.docker import Docker, find_docker
from slipway.platforms.local.dockerd import start_dockerd
from slipway.progress import Progress
from slipway.settings.errors import BadInput

START_SECONDS = 60.0


def ensure_daemon(progress: Progress) -> Docker:
    """A working Docker. As root on Debian it is installed and started; else BadInput says what is missing."""
    binary = find_docker()
    if binary is None:
        binary = _install(progress)
    docker = Docker(binary)
    problem = why_not(docker)
    if problem is None:
        return docker
    if "permission denied" in problem.lower():
        raise BadInput(
            "Docker refuses this user: no permission on its socket",
            remedy="sudo usermod -aG docker $USER and sign in again, or run this command with sudo",
        )
    if os.environ.get("DOCKER_HOST") or not _is_down(problem):
        raise BadInput(f"Docker does not answer: {problem}", remedy="docker info must work first")
    if os.geteuid() != 0:
        raise BadInput(
            "Docker's daemon is not running",
            remedy="sudo systemctl start docker, or run this command with sudo",
        )
    if not _has_daemon():
        _install(progress)
    progress.line("starting Docker's daemon")
    _start(docker)
    return docker


def why_not(docker: Docker) -> str | None:
    """None if the daemon answers, else what the client says."""
    done = docker.run("version", "--format", "{{.Server.Version}}", check=False, timeout=20)
    if done.returncode == 0:
        return None
    return done.stderr.decode(errors="replace").strip() or "no message"


def wait_until_up(docker: Docker, seconds: float = START_SECONDS) -> str | None:
    """None once the daemon answers; after `seconds`, why it does not."""
    deadline = time.monotonic() + seconds
    while (problem := why_not(docker)) is not None and time.monotonic() < deadline:
        time.sleep(0.3)
    return problem


def _is_down(problem: str) -> bool:
    signs = ("cannot connect", "connection refused", "no such file", "is the docker daemon running")
    return any(sign in problem.lower() for sign in signs)


def _has_daemon() -> bool:
    """A machine may have the client alone."""
    return shutil.which("dockerd") is not None or Path("/run/systemd/system").is_dir()


def _install(progress: Progress) -> str:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BadInput(
            "Docker is not installed",
            remedy="sudo apt-get install docker.io (Debian, Ubuntu), or run this command as root there",
        )
    progress.line("installing Docker from the distribution")
    known = (
        subprocess.run(["apt-cache", "show", "docker-cli"], check=False, capture_output=True).returncode == 0
    )
    install("docker.io", "iptables", *(["docker-cli"] if known else []))
    binary = find_docker()
    if binary is None:
        raise BadInput("Docker was installed, but there is no docker command on PATH")
    return binary


def _start(docker: Docker) -> None:
    """By systemd where it runs; else dockerd by ourselves, detached."""
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "start", "docker"], check=False, capture_output=True)
        problem = wait_until_up(docker)
        if problem:
            raise BadInput(
                f"Docker's daemon does not start: {problem}", remedy="journalctl -u docker says why"
            )
        return
    start_dockerd(lambda seconds: wait_until_up(docker, seconds) is None)
