"""The accounts under which an app's code runs: one for each process and for migrate, task and cron.

With one for all, a process could read the others' environment in /proc, and files that it left in its home
would run in a later migration.

The agent makes an account when a release first needs it. `slipway up` could not know them all: a rollback may
need the account of a process that slipway.toml no longer has. systemd's DynamicUser= would need no accounts,
but programs that look up their own name (Node's os.userInfo()) would then need the package libnss-systemd,
and a user's number, to which its home belongs, may differ after a reboot.
"""

from __future__ import annotations

import os
import pwd
import time

from . import program
from .errors import AgentError
from .host import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "app-"
HOMES = "/var/cache/slipway-home"
FIRST, LAST = 60_706, 61_183
"""Their user ids: a range that neither Debian nor systemd uses (https://systemd.io/UIDS-GIDS/), so that one
rule of the firewall matches them all."""
_LONGEST = 31
"""Characters that systemd takes as a user's name."""
_TRIES = 5


def account(scope: str) -> str:
    """The name of the account of a process or scope."""
    name = f"{PREFIX}{scope}"
    if len(name) <= _LONGEST:
        return name
    import hashlib

    digest = hashlib.sha256(scope.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - 9]}-{digest}"


def ensure(scopes: Iterable[str]) -> None:
    """Make the accounts of `scopes` that are missing."""
    for name in sorted({account(scope) for scope in scopes}):
        if not _exists(name):
            _make(name)


def home(slot: str, scope: str) -> str:
    """The home of an account in `slot`. Systemd makes it: `settings`."""
    return f"{HOMES}/{slot}/{scope}"


def settings(slot: str, scope: str) -> list[str]:
    """Settings of a unit that runs as the scope's account, with its home in `slot`."""
    name = account(scope)
    folder = home(slot, scope).removeprefix("/var/cache/")
    return [f"User={name}", f"Group={name}", f"CacheDirectory={folder}", "CacheDirectoryMode=0700"]


def set_aside_homes(paths: Paths, slot: str) -> None:
    """Have `prune` delete the homes of an emptied slot: the next release begins with empty ones."""
    try:
        os.rename(f"{paths.homes}/{slot}", f"{paths.homes}/gone-{time.time_ns()}")
    except FileNotFoundError:
        return


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _make(name: str) -> None:
    """Another agent may make an account at the same time (`run` takes no lock): then look again."""
    why = ""
    for attempt in range(_TRIES):
        taken = {each.pw_uid for each in pwd.getpwall()}
        free = next((number for number in range(FIRST, LAST + 1) if number not in taken), None)
        if free is None:
            raise AgentError("accounts", f"all user ids from {FIRST} to {LAST} are taken")
        done = program.run(
            *("useradd", "--system", "--no-log-init", "--uid", str(free), "--user-group"),
            *("--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name),
        )
        if done.code == 0 or _exists(name):
            return
        why = done.err
        time.sleep(0.1 * attempt)
    raise AgentError("accounts", f"useradd {name}: {why}")
