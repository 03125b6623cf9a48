"""Start dockerd where no service manager does: detached, with a log, and around the known troubles."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from slipway.settings.errors import SlipwayError

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
    """dockerd in a session of its own: it must outlive this command and not hear its Ctrl-C."""
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
