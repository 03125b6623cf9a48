"""Carrying effects out on one host with pyinfra; a kit's runner does the same from within (hosts/kit)."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import shlex
from collections.abc import Generator, Iterable, Mapping, Sequence
from functools import cache

from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host
from typing_extensions import override

from hosts.effect import TAKEN_UP, Effect, TakeUp


def carry_out(effect: Effect) -> None:
    """Add the operation that puts `effect` right, if it is not."""
    if isinstance(effect, TakeUp):
        known = _taken_up().get(effect.kept_as)
        _take_up(
            name=effect.name,
            name_of=effect.kept_as,
            digest=effect.digest,
            known=known,
            command=effect.command,
        )
    else:
        names = " ".join((*effect.running, *effect.at_boot, *effect.never))
        _set_units(name=f"units {names}", running=effect.running, at_boot=effect.at_boot, never=effect.never)


class TakenUp(FactBase[Mapping[str, str]]):
    """Name → digest of the files it last took up."""

    @override
    def command(self) -> str:
        """One line a name."""
        return f"grep -H . {TAKEN_UP}/* 2>/dev/null; true"

    @override
    def process(self, output: Iterable[str]) -> Mapping[str, str]:
        """`path:digest` to name and digest."""
        pairs = (line.split(":", 1) for line in output if ":" in line)
        return {path.rsplit("/", 1)[-1]: digest for path, digest in pairs}


class UnitStates(FactBase[Mapping[str, str]]):
    """Unit → `active/enabled`, in one question for all of them."""

    @override
    def command(self, units: Sequence[str]) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Ask systemd, which answers in the order of the question."""
        names = " ".join(map(shlex.quote, units))
        return (
            f'for u in {names}; do echo "$u $(systemctl is-active $u)/$(systemctl is-enabled $u)"; done; true'
        )

    @override
    def process(self, output: Iterable[str]) -> Mapping[str, str]:
        """Split at the blank."""
        return dict(line.split(" ", 1) for line in output if " " in line)


@operation()
def _take_up(name_of: str, digest: str, known: str | None, command: str) -> Generator[StringCommand]:
    if known != digest:
        kept = shlex.quote(f"{TAKEN_UP}/{name_of}")
        yield StringCommand(f"{command} && mkdir -p {TAKEN_UP} && echo {digest} > {kept}")


@cache
def _taken_up() -> Mapping[str, str]:
    """Asked once: a process sets up one host, and asks before anything is done there."""
    return host.get_fact(TakenUp) or {}


@operation()
def _set_units(
    running: Sequence[str], at_boot: Sequence[str], never: Sequence[str]
) -> Generator[StringCommand]:
    states = host.get_fact(UnitStates, units=[*running, *at_boot, *never]) or {}
    for unit in (*running, *at_boot):
        if not states.get(unit, "").endswith(("/enabled", "/static", "/alias")):
            yield StringCommand(f"systemctl enable --quiet {unit}")
    for unit in running:
        if not states.get(unit, "").startswith("active/"):
            yield StringCommand(f"systemctl start {unit}")
    for unit in never:
        if states.get(unit, "").endswith("/enabled"):
            yield StringCommand(f"systemctl disable --quiet {unit}")
