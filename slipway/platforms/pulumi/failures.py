"""The engine's failures, by its own words, with remedies; and whose lock is in the way. Pure."""

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

from slipway.settings import BadInput, LeaseHeld, SlipwayError

_COLOURS = re.compile(r"\x1b\[[0-9;]*m|<\{%[^%]*%\}>")
_LABELS = re.compile(r"^ (?:code|stdout|stderr): ?", re.MULTILINE)
"""With which the Automation API sets out what the CLI printed."""
_LINES = 12


@dataclass(frozen=True)
class Known:
    """A failure that a person can act on; `says` is a pattern in the engine's message."""

    says: str
    message: str
    remedy: str


KNOWN: tuple[Known, ...] = (
    Known(
        r"passphrase must be set|passphrase-file|PULUMI_CONFIG_PASSPHRASE(_FILE)? .*(must|not) ",
        "the stack's passphrase is not given",
        "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE",
    ),
    Known(
        r"incorrect passphrase",
        "the stack's passphrase is wrong",
        "set PULUMI_CONFIG_PASSPHRASE to what the stack was made with",
    ),
    Known(
        r"PULUMI_ACCESS_TOKEN must be set|you must be logged in|run `?pulumi login|invalid access token",
        "the engine is not logged in to where its state is kept",
        "`pulumi login s3://<bucket>` (or another backend), or set PULUMI_BACKEND_URL",
    ),
    Known(
        r"no resource plugin|could not load plugin|failed to download plugin|no .* plugin '[^']+' found"
        r"|error installing plugin|failed to install plugin|install resource plugin",
        "a plugin of the engine is missing and cannot be fetched",
        "`pulumi plugin install` on a machine with network, or allow it to reach the plugin's server",
    ),
    Known(
        r"unable to open (bucket|state)|could not (open|read|access) (the )?(state|bucket)"
        r"|read \".pulumi/meta.yaml\"|error listing stacks|failed to log in",
        "the place where the engine keeps its state cannot be reached",
        "check PULUMI_BACKEND_URL and the credentials for it",
    ),
    Known(
        r"Could not find `uv`|doesn't appear to be a virtual environment|there is no Python in",
        "the program's Python is not there",
        "`uv sync` beside Pulumi.yaml, with uv on PATH",
    ),
    Known(
        r"no valid credential sources|No valid credential|failed to refresh cached credentials"
        r"|ExpiredToken|InvalidClientTokenId|get credentials",
        "there are no valid AWS credentials",
        "sign in (`aws sso login`, or the role that CI assumes) and try again",
    ),
    Known(
        r"AWS account ID not allowed|account ID .* not allowed|allowed_account_ids",
        "the credentials are for another AWS account than slipway:aws account",
        "sign in to the account that Pulumi.<stack>.yaml names",
    ),
)


def explain(said: str, *, doing: str) -> SlipwayError:
    """The failure behind what the CLI said while `doing` something (`the preview`)."""
    text = _LABELS.sub("", _COLOURS.sub("", said))
    if is_locked(text):
        return locked(text)
    for known in KNOWN:
        if re.search(known.says, text):
            return BadInput(f"{doing}: {known.message}", remedy=known.remedy, details=_first_errors(text)[:3])
    details = _first_errors(text) or [line for line in text.splitlines() if line.strip()][-_LINES:]
    return SlipwayError(
        f"{doing} failed", remedy="what is done stays; run it again when the cause is gone", details=details
    )


def locked(text: str) -> LeaseHeld:
    """Another update has the stack."""
    locks = read_locks(text)
    if not locks:
        return LeaseHeld(
            "another update of the stack is running",
            remedy="wait for it; the backend's console shows whose it is, and `pulumi cancel` ends it",
        )
    return LeaseHeld(
        "another update of the stack is running, or was cut off",
        details=[f"{lock.owner} since {lock.at:%Y-%m-%d %H:%M:%S %Z}" for lock in locks],
        remedy="wait for it; if you know that it is dead, `slipway up --break-lock "
        f"{locks[0].owner}`" + (" after the others are gone" if len(locks) > 1 else ""),
    )


def _first_errors(text: str) -> list[str]:
    """The lines that say error, each with what belongs to it; without Python's own way to the place."""
    lines = [line.strip() for line in text.splitlines()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Input|Settings): ", line)]
    return list(dict.fromkeys(errors + raised))[:_LINES]


# File and S3 backends name every lock's owner in their message:
# `…json: created by root@ci-7 (pid 4123) at 2026-05-01T10:00:00Z`.


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
    """When the process began, seconds since the epoch; None if there is none; 0 if it is unknown."""
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
