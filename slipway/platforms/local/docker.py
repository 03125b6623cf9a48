"""Docker on this machine: its command line, typed, and its daemon, installed and started if necessary."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from slipway.platforms.platform import Diagnosis, fail, ok, warn
from slipway.progress import Progress
from slipway.settings import BadInput, SlipwayError

TIMEOUT = 120.0
"""Seconds for a command that only talks to the daemon."""


class DockerError(SlipwayError):
    """docker refused; `stderr` is what it said."""

    def __init__(self, argv: Sequence[str], stderr: str) -> None:
        words = " ".join(argv[:2])
        super().__init__(
            f"docker {words} failed: {_last_line(stderr)}", details=stderr.strip().splitlines()[-8:]
        )
        self.stderr = stderr


@dataclass(frozen=True)
class Docker:
    """A docker command whose daemon answers (`ensure_daemon` gives one)."""

    binary: str = "docker"

    def run(
        self, *argv: str, stdin: bytes | None = None, timeout: float = TIMEOUT, check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `docker argv…`; DockerError if it fails (unless `check` is off) or takes longer."""
        try:
            done = subprocess.run(
                [self.binary, *argv],
                check=False,
                input=stdin,
                capture_output=True,
                timeout=timeout,
                start_new_session=True,  # Ctrl-C is ours: a client that it ends leaves the daemon at work
            )
        except subprocess.TimeoutExpired as late:
            raise DockerError(argv, f"no answer within {timeout:.0f} s") from late
        if check and done.returncode != 0:
            raise DockerError(argv, (done.stderr or done.stdout).decode(errors="replace"))
        return done

    def text(self, *argv: str) -> str:
        """What `docker argv…` prints, without the last newline."""
        return self.run(*argv).stdout.decode(errors="replace").strip()

    def inspect(self, kind: str, *names: str) -> list[dict[str, Any]]:
        """`docker <kind> inspect` of those of `names` that exist, in order; kind: container, image, …"""
        if not names:
            return []
        done = self.run(kind, "inspect", *names, check=False)
        missing = done.stderr.decode(errors="replace")
        if done.returncode != 0 and "no such" not in missing.lower() and "not found" not in missing.lower():
            raise DockerError((kind, "inspect", *names), missing)
        return cast(list[dict[str, Any]], json.loads(done.stdout or b"[]"))

    def problem(self) -> str | None:
        """None if the daemon answers, else the client's message."""
        done = self.run("version", "--format", "{{.Server.Version}}", check=False, timeout=20)
        if done.returncode == 0:
            return None
        return done.stderr.decode(errors="replace").strip() or "no message"

    def execute(self, container: str, script: str, *, stdin: bytes | None = None, timeout: float = 60) -> str:
        """Run a sh script inside a running container and return what it prints."""
        done = self.run("exec", "-i", container, "sh", "-euc", script, stdin=stdin or b"", timeout=timeout)
        return done.stdout.decode(errors="replace")


def find_docker() -> str | None:
    """The docker command on PATH, if any."""
    return shutil.which("docker")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


START_SECONDS = 60.0


def ensure_daemon(progress: Progress) -> Docker:
    """A working Docker. As root on Debian it is installed and started; else BadInput says what is missing."""
    binary = find_docker()
    if binary is None:
        binary = _install(progress)
    docker = Docker(binary)
    problem = docker.problem()
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


def wait_until_up(docker: Docker, seconds: float = START_SECONDS) -> str | None:
    """None once the daemon answers; after `seconds`, why it does not."""
    deadline = time.monotonic() + seconds
    while (problem := docker.problem()) is not None and time.monotonic() < deadline:
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


def install(*packages: str) -> None:
    """Install packages on this machine from its distribution; needs root."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for attempt in (command, ["apt-get", "update", "-qq"], command):
        done = subprocess.run(attempt, check=False, capture_output=True, text=True, env=environment)
        if done.returncode == 0 and attempt is command:
            return
    raise SlipwayError(
        f"apt-get could not install {' '.join(packages)}", details=done.stderr.strip().splitlines()[-6:]
    )


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


LOG = Path("/var/log/slipway/dockerd.log")
PID_FILE = Path("/var/run/docker.pid")
LEGACY_TABLES = Path("/run/slipway/iptables-legacy")
ATTEMPT_SECONDS = 60.0

_STORAGE_SIGNS = ("graphdriver", "storage-driver", "driver not supported", "failed to mount overlay")
_TABLES_SIGNS = ("iptables", "nf_tables", "NAT chain")


def start_dockerd(answers: Callable[[float], bool], log: Path = LOG, pid_file: Path = PID_FILE) -> None:
    """Start dockerd; `answers(seconds)` waits that long. SlipwayError if it cannot."""
    binary = shutil.which("dockerd")
    if binary is None:
        raise SlipwayError("there is a docker command but no dockerd", remedy="apt-get install docker.io")
    log.parent.mkdir(parents=True, exist_ok=True)
    arguments: list[str] = []
    environment: dict[str, str] = dict(os.environ)
    while True:
        remove_stale(pid_file)
        if _answers(_spawn([binary, *arguments], environment, log), answers):
            return
        said = log.read_text(errors="replace").splitlines()[-20:]
        if not arguments and any(sign in line for line in said for sign in _STORAGE_SIGNS):
            arguments = ["--storage-driver", _other_storage()]
        elif environment.get("PATH") == os.environ.get("PATH") and _tables_trouble(said):
            environment["PATH"] = f"{_legacy_tables()}:{environment.get('PATH', '')}"
        else:
            raise SlipwayError(
                f"Docker's daemon does not start; its log is {log}",
                details=said[-6:],
                remedy="start dockerd by hand, then run this command again",
            )


def remove_stale(pid_file: Path) -> None:
    """dockerd refuses to start over a pid file, even one left by a machine that was switched off."""
    try:
        pid = int(pid_file.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except FileNotFoundError:
        name = ""
    except ValueError:
        name = ""
    if name != "dockerd":
        pid_file.unlink(missing_ok=True)


def _spawn(argv: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """dockerd in a new session: it must outlive this command and not receive its Ctrl-C."""
    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
        )


def _answers(process: subprocess.Popen[bytes], answers: Callable[[float], bool]) -> bool:
    deadline = time.monotonic() + ATTEMPT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if answers(0.5):
            return True
    if process.poll() is None:
        process.terminate()
        process.wait(timeout=30)
    return False


def _other_storage() -> str:
    """What works where overlay2 does not, for example on an overlay root."""
    return "fuse-overlayfs" if shutil.which("fuse-overlayfs") and Path("/dev/fuse").exists() else "vfs"


def _tables_trouble(said: list[str]) -> bool:
    return shutil.which("iptables-legacy") is not None and any(
        sign in line for line in said for sign in _TABLES_SIGNS
    )


def _legacy_tables() -> Path:
    """A folder whose iptables is iptables-legacy, for kernels without nf_tables."""
    LEGACY_TABLES.mkdir(parents=True, exist_ok=True)
    for name in ("iptables", "ip6tables"):
        legacy = shutil.which(f"{name}-legacy")
        link = LEGACY_TABLES / name
        if legacy and not link.is_symlink():
            link.symlink_to(legacy)
    return LEGACY_TABLES


def docker() -> Iterable[Diagnosis]:
    """Docker is installed, runs, and accepts this user."""
    binary = find_docker()
    if binary is None:
        if os.geteuid() == 0 and shutil.which("apt-get"):
            yield warn(
                "Docker is not installed", "`slipway up --stack local` installs it from the distribution"
            )
        else:
            yield fail("Docker is not installed", "sudo apt-get install docker.io")
        return
    problem = Docker(binary).problem()
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
