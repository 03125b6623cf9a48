"""Folders on a host, with owner and mode: one question and at most one command for all of them."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import shlex
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host
from typing_extensions import override


@dataclass(frozen=True)
class Folder:
    """A folder as it shall be."""

    path: str
    mode: str = "755"
    owner: str = "root"

    @property
    def state(self) -> str:
        """As `stat` prints it."""
        return f"{self.mode}:{self.owner}:{self.owner}"


class Folders(FactBase[Mapping[str, str]]):
    """Path → `mode:owner:group` of those that exist."""

    @override
    def command(self, paths: Sequence[str]) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Ask stat; an absent folder is no error."""
        return f"stat -c '%n|%a:%U:%G' {' '.join(map(shlex.quote, paths))} 2>/dev/null; true"

    @override
    def process(self, output: Iterable[str]) -> Mapping[str, str]:
        """Split every line at its last bar."""
        return dict(line.rsplit("|", 1) for line in output if "|" in line)


@operation()
def folders(wanted: Sequence[Folder]) -> Generator[StringCommand]:
    """Make `wanted` exist, in their order."""
    found = host.get_fact(Folders, paths=[folder.path for folder in wanted]) or {}
    missing = [folder for folder in wanted if found.get(folder.path) != folder.state]
    makes = [f"install -d -m {f.mode} -o {f.owner} -g {f.owner} {shlex.quote(f.path)}" for f in missing]
    if makes:
        yield StringCommand(" && ".join(makes))
