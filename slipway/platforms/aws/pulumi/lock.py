"""The stack's lock as the engine's message tells of it: whose it is, and whether its owner is dead.

File and S3 backends name every lock's owner:
`…json: created by root@ci-7 (pid 4123) at 2026-05-01T10:00:00Z`.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

_LOCK = re.compile(
    r"(?P<file>\S+): created by (?P<user>\S+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<at>\S+)"
)
_LOCKED = ("the stack is currently locked by", "[409] Conflict")


@dataclass(frozen=True)
class Lock:
    """One lock of a stack."""

    user: str
    host: str
    pid: int
    at: datetime
    file: str = ""

    @property
    def owner(self) -> str:
        """`root@ci-7:4123`, as --break-lock takes it."""
        return f"{self.user}@{self.host}:{self.pid}"


def is_locked(message: str) -> bool:
    """Does the engine say that another update has the stack?"""
    return any(words in message for words in _LOCKED)


def read_locks(message: str) -> list[Lock]:
    """The locks in an engine's message; Pulumi Cloud's names none."""
    return [
        Lock(
            found["user"],
            found["host"],
            int(found["pid"]),
            datetime.fromisoformat(found["at"]),
            found["file"],
        )
        for found in _LOCK.finditer(message)
    ]


def may_break(
    locks: Sequence[Lock],
    *,
    named: str = "",
    is_ours_and_dead: Callable[[Lock], bool],
) -> Literal["dead", "named", ""]:
    """May the locks be removed? If all are dead and this user's on this machine, or `named` is the owner.

    One removal takes all locks, so one that is another's forbids it.
    """
    if locks and all(is_ours_and_dead(lock) for lock in locks):
        return "dead"
    if len(locks) == 1 and named and named == locks[0].owner:
        return "named"
    return ""


def is_ours_and_dead(lock: Lock) -> bool:
    """Was it made by this user on this machine, in a process that does not run any more?"""
    if (lock.user, lock.host) != (getpass.getuser(), socket.gethostname()):
        return False
    began = process_began(lock.pid)
    # A process that began after the lock was made has only inherited the number.
    return began is None or began > lock.at.timestamp() + 2


def process_began(pid: int) -> float | None:
    """When the process began, seconds since the epoch; None if there is none. 0 if nothing tells."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0.0
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if state in "ZX":
            return None  # ended, and not yet fetched by its parent
        ticks = int(fields[18])
        up = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")
