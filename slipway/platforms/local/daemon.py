"""A Docker whose daemon answers: found, started or installed, or a message that says what to do."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from slipway.platforms.diagnosis import Diagnosis, fail, ok, warn
from slipway.platforms.local.debian import install
from slipway.platforms.local.docker import Docker, find_docker
from slipway.progress import Progress
from slipway.settings import BadInput, SlipwayError

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
