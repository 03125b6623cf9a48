"""What the agent asks of systemd: few calls (10 to 20 ms each), several units a call."""

from __future__ import annotations

from . import spawn
from .errors import AgentError

_PROPERTIES = "Id,LoadState,ActiveState,SubState,Result,MainPID,MemoryCurrent,NRestarts,ExecMainStatus"


class Unit:
    """A unit as `systemctl show` sees it."""

    def __init__(self, properties: dict[str, str]) -> None:
        self.name = properties.get("Id", "")
        self.active = properties.get("ActiveState", "inactive")
        self.sub = properties.get("SubState", "dead")
        self.result = properties.get("Result", "")
        self.pid = int(properties.get("MainPID", "0") or 0)
        memory = properties.get("MemoryCurrent", "")
        self.memory = int(memory) if memory.isdigit() and len(memory) < 18 else None
        self.restarts = int(properties.get("NRestarts", "0") or 0)
        self.exit = properties.get("ExecMainStatus", "0")

    @property
    def ended(self) -> bool:
        """Has the process died since it was started (systemd may be about to start it again)?"""
        return self.restarts > 0 or self.active in ("failed", "inactive") or self.sub == "auto-restart"

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
    """Start units; with `block`, return when systemd has executed their commands."""
    if units:
        _systemctl("start", *([] if block else ["--no-block"]), "--", *units)


def stop(units: list[str], *, block: bool = True) -> None:
    """Stop units (names or globs of loaded ones) as their stop signal and drain time say."""
    if units:
        _systemctl("stop", *([] if block else ["--no-block"]), "--", *units)


def forget_failures(units: list[str]) -> None:
    """Reset restart counters and failed states; units that have none are no error."""
    if units:
        spawn.run("systemctl", "reset-failed", "--", *units)


def reload() -> None:
    """Make systemd read unit files again."""
    _systemctl("daemon-reload")


def slot_units(slot: str) -> list[str]:
    """A glob of whatever runs in `slot`, whether the state knows it or not."""
    return [f"slipway-*@{slot}-*.service"]


def journal(units: list[str], since: float, lines: int = 20) -> list[str]:
    """The last lines the units wrote after `since` (epoch seconds)."""
    arguments = [f"--unit={unit}" for unit in units]
    found = spawn.run(
        "journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={lines}", f"--since=@{since:.6f}",
        *arguments,
    )  # fmt: skip
    return found.out.splitlines()


def _systemctl(*arguments: str) -> str:
    done = spawn.run("systemctl", *arguments)
    if done.code != 0:
        raise AgentError("systemd", f"systemctl {arguments[0]}: {done.err or f'exit {done.code}'}")
    return done.out
