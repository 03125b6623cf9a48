"""Taking effect: a service reloads or restarts when its files are not those it last took up.

What was taken up is kept on the host, per service, so that a set-up that was cut off between placing a
file and reloading its service is finished by the next one.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import hashlib
import shlex
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, cast

from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host
from pyinfra.operations import systemd
from typing_extensions import override

from hosts.placed import HostFile

TAKEN_UP = "/var/cache/slipway/taken-up"
"""On the disk that /etc is on: a host made anew around its old data has taken up nothing."""

Placed = Mapping[str, HostFile]
"""All files of a host by path."""


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


@operation()
def _run(command: str, name_of: str, digest: str, stdin: str | None) -> Generator[StringCommand]:
    known = host.get_fact(TakenUp) or {}
    if known.get(name_of) == digest:
        return
    kept = f"{TAKEN_UP}/{name_of}"
    arguments: dict[str, Any] = {"_stdin": stdin} if stdin else {}
    yield StringCommand(
        f"{command} && mkdir -p {TAKEN_UP} && echo {digest} > {shlex.quote(kept)}", **arguments
    )


def take_up(name: str, files: Sequence[HostFile], command: str, *, stdin: str | None = None) -> None:
    """Run `command` unless `name` has taken up just these files (and this command) before."""
    states = [f"{file.path} {file.state}" for file in files]
    digest = hashlib.sha256("\n".join([command, stdin or "", *states]).encode()).hexdigest()
    _run(name=name, command=command, name_of=name.replace(" ", "-"), digest=digest, stdin=stdin)


def enabled(unit: str) -> None:
    """`unit` runs now and after every boot."""
    systemd.service(name=f"{unit} on", service=unit, running=True, enabled=True)


def at_boot(unit: str, *, wanted: bool = True) -> None:
    """`unit` starts at boot, or not; whether it runs now is not our business."""
    systemd.service(name=f"{unit} at boot", service=unit, running=cast("bool", None), enabled=wanted)
