"""Files on a host: put there whole or not at all, with their final owner and mode from the first byte.

pyinfra's own `files.put` writes first and sets the mode later; for a secret that is too late. Content
travels on standard input, so it is in no command line and no log.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import json
import shlex
from collections.abc import Generator, Iterable, Mapping, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host
from typing_extensions import override

from hosts.file import HostFile
from hosts.render import verbatim

PLACE = verbatim("base/place.py")
NAMED = 4
"""So many changed files are named in what is told of an operation."""


class PlacedFiles(FactBase[Mapping[str, str]]):
    """The state of many files in one question: path → `sha256:mode:owner:group`, without missing ones."""

    @override
    def command(self, paths: Sequence[str]) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Ask stat and sha256sum about every path; an absent file is no error."""
        names = " ".join(shlex.quote(path) for path in paths)
        return f"stat -c '%n|%a:%U:%G' {names} 2>/dev/null; echo --; sha256sum {names} 2>/dev/null; true"

    @override
    def process(self, output: Iterable[str]) -> Mapping[str, str]:
        """Join both answers by path."""
        lines = list(output)
        middle = lines.index("--")
        owners = dict(line.rsplit("|", 1) for line in lines[:middle])
        digests = {line[66:]: line[:64] for line in lines[middle + 1 :]}
        return {path: f"{digest}:{owners[path]}" for path, digest in digests.items() if path in owners}


@operation()
def place(files: Sequence[HostFile]) -> Generator[StringCommand]:
    """Put `files` in their places, in their order, in one command, up to the first that its check refuses."""
    order = [file.placed for file in files]
    yield StringCommand(f"/usr/bin/python3 -I -c {shlex.quote(PLACE)}", _stdin=json.dumps(order))


def place_all(files: Sequence[HostFile]) -> None:
    """Add one operation that brings those of `files` that are missing or different."""
    before = host.get_fact(PlacedFiles, paths=[file.path for file in files]) or {}
    changed = [file for file in files if before.get(file.path) != file.state]
    if changed:
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        place(name=f"files {' '.join(file.path for file in changed[:NAMED])}{more}", files=changed)
