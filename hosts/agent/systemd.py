"""Calls of systemctl and journalctl: 10 to 20 ms each, so several units in one call."""

from __future__ import annotations

import os

from . import program
from .errors import AgentError

_PROPERTIES = "Id,LoadState,ActiveState,SubState,Result,MainPID,MemoryCurrent,NRestarts,ExecMainStatus"


class Unit:
    """A unit as reported by `systemctl show`."""

    def __init__(self, properties: dict[str, str]) -> None:
        self.name = properties.get("Id", "")
        self.active = properties.get("ActiveState", "inactive")
        self.sub = properties.get("SubState", "dead")
        self.result = properties.get("Result", "")
        self.pid = int(properties.get("MainPID", "0") or 0)
        memory = properties.get("MemoryCurrent", "")
        self.memory = int(memory) if memory.isdigit() and len(memory) < 18 else _resident(self.pid)
        self.restarts = int(properties.get("NRestarts", "0") or 0)
        self.exit = properties.get("ExecMainStatus", "0")

    @property
    def ended(self) -> bool:
        """Whether the process has died since it was started (systemd may restart it)."""
        return self.restarts > 0 or self.active in ("failed", "inactive") or self.sub == "auto-restart"

    @property
    def killed(self) -> bool:
        """Whether it did not end on its stop signal, so that systemd killed it."""
        return self.result == "timeout"

    def to_json(self) -> dict[str, object]:
        """As in the answer of `status`."""
        return {
            "unit": self.name,
            "active": self.active,
            "pid": self.pid,
            "memory": self.memory,
            "restarts": self.restarts,
        }


def show(units: list[str]) -> dict[str, Unit]:
    """The units by name, in one call."""
    if not units:
        return {}
    text = _systemctl("show", f"--property={_PROPERTIES}", "--", *units)
    found: dict[str, Unit] = {}
    for block in text.split("\n\n"):
        pairs = (line.partition("=") for line in block.splitlines())
        unit = Unit({key: value for key, _, value in pairs})
        if unit.name:
            found[unit.name] = unit
    return found


def start(units: list[str], *, block: bool = True) -> None:
    """Start units; with `block`, return when their commands have been executed."""
    if units:
        _systemctl("start", *([] if block else ["--no-block"]), "--", *units)


def stop(units: list[str], *, block: bool = True) -> None:
    """Stop units (names or globs of loaded ones) with their stop signal and drain time."""
    if units:
        _systemctl("stop", *([] if block else ["--no-block"]), "--", *units)


def forget_failures(units: list[str]) -> None:
    """Reset restart counters and failed states; units that have none are no error."""
    if units:
        program.run("systemctl", "reset-failed", "--", *units)


def reload() -> None:
    """Make systemd read the unit files again."""
    _systemctl("daemon-reload")


def slot_units(slot: str) -> list[str]:
    """A glob of all units in `slot`, also those that the state does not know."""
    return [f"slipway-*@{slot}-*.service"]


def journal(unit: str, since: float, lines: int = 20) -> list[str]:
    """The last lines of an app's unit after `since` (seconds since 1970).

    If it wrote none, systemd's messages about it: a missing folder, a user that does not exist.
    """
    process = unit.removeprefix("slipway-").partition("@")[0]
    argv = ["journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={lines}", f"--unit={unit}"]
    argv.append(f"--since=@{since:.6f}")
    own = program.run(*argv, f"--identifier={process}").out.splitlines()
    return own or program.run(*argv).out.splitlines()


def pids(unit: str) -> list[int]:
    """Every process of a unit, its children too; empty if it does not run."""
    group = program.run("systemctl", "show", "--property=ControlGroup", "--value", "--", unit).out.strip()
    try:
        with open(f"/sys/fs/cgroup{group}/cgroup.procs", encoding="ascii") as file:
            return [int(line) for line in file if group]
    except OSError:
        return []


def _resident(pid: int) -> int | None:
    """Resident bytes of a process, for hosts whose systemd does not account memory."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def _systemctl(*arguments: str) -> str:
    done = program.run("systemctl", *arguments)
    if done.code != 0:
        raise AgentError("systemd", f"systemctl {arguments[0]}: {done.err or f'exit {done.code}'}")
    return done.out
