"""Tunnels on a kept ssh connection. They live as long as it does, so the next command finds them again."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from slipway.fleet.failures import HostDown, kind_of

_ATTEMPTS = 5


def forward(ssh: Sequence[str], host: str, control: Path, target: str) -> int:
    """The local port of the tunnel to `target` (`address:port`), made unless the connection has it already.

    `ssh -O forward` cannot choose a free port itself (0 is refused for -L), so one is found and, should
    another program be quicker, found again. HostDown: the connection did not take it.
    """
    note = control.with_name(f"{control.name}.tunnels")
    master = _identity(control)
    known = _read(note, master)
    if (port := known.get(target)) and _listens(port):
        return port
    said = ""
    for _ in range(_ATTEMPTS):
        port = _free_port()
        spec = f"127.0.0.1:{port}:{target}"
        done = subprocess.run(
            [*ssh, "-O", "forward", "-L", spec, host], capture_output=True, timeout=10, check=False
        )
        if done.returncode == 0:
            fresh = note.with_name(f"{note.name}.new")
            fresh.write_text(json.dumps({"master": master, "ports": {**_read(note, master), target: port}}))
            fresh.replace(note)
            return port
        said = done.stderr.decode(errors="replace")
    raise HostDown(host, kind_of(said), said)


def _identity(control: Path) -> list[int]:
    """What tells one master's socket from the next one's: a tunnel belongs to the first."""
    with suppress(OSError):
        found = control.stat()
        return [found.st_ino, found.st_ctime_ns]
    return []


def _read(note: Path, master: list[int]) -> dict[str, int]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(note.read_text())
        if found["master"] == master:
            return found["ports"]
    return {}


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
