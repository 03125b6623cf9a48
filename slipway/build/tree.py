"""What goes into a layer: files and links below a folder, sorted; links that hold on another machine too."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slipway.build.source import leads_out
from slipway.settings.errors import BadInput

RUNTIME_FOLDER = ".runtime"
"""Where the runtime layer lies in a build's root; `.runtime/bin` is first on PATH."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a layer. `name` is relative to the build's root."""

    name: str
    kind: Literal["file", "link", "folder"]
    origin: Path
    """Where a file's content is read from."""
    size: int = 0
    program: bool = False
    target: str = ""
    """What a link points to, relative."""
    content: bytes | None = None
    """Content in place of the origin's."""


def collect(
    root: Path,
    keep: Callable[[str], bool],
    *,
    skip: Callable[[str], bool] = lambda _: False,
    runtime: Path | None = None,
) -> list[Entry]:
    """Files and links below `root` that `keep` wants and `skip` does not, with the folders above them.

    `skip` prunes whole folders. `runtime` is the folder whose `.runtime` the build ran with: a link to there
    (a Python environment's) becomes a link to the build's own `.runtime`. Raises BadInput for a link that
    leaves `root` otherwise, and for anything that is neither file, link nor folder.
    """
    entries: dict[str, Entry] = {}
    for folder, folders, files in os.walk(root):
        here = os.path.relpath(folder, root)
        below = "" if here == "." else f"{here}/"
        linked = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = [name for name in folders if name not in linked and not skip(below + name)]
        for name in (below + file for file in [*files, *linked]):
            if keep(name) and not skip(name):
                entries[name] = _entry(root, name, runtime)
    for name in list(entries):
        for parent in Path(name).parents[:-1]:
            entries.setdefault(str(parent), Entry(str(parent), "folder", root / parent))
    return [entries[name] for name in sorted(entries, key=os.fsencode)]


def _entry(root: Path, name: str, runtime: Path | None) -> Entry:
    path = root / name
    info = path.lstat()
    if stat.S_ISLNK(info.st_mode):
        return Entry(name, "link", path, target=_portable(root, name, runtime))
    if not stat.S_ISREG(info.st_mode):
        raise BadInput(f"{name} is neither a file nor a link, so it cannot be shipped")
    program = bool(info.st_mode & 0o111)
    if path.name == "pyvenv.cfg":
        content = _placeless(path)
        return Entry(name, "file", path, len(content), program, content=content)
    if program and (content := _moved(root, path, name)):
        return Entry(name, "file", path, len(content), program, content=content)
    return Entry(name, "file", path, info.st_size, program)


def _portable(root: Path, name: str, runtime: Path | None) -> str:
    """The link's target, relative to the link and within the build's root."""
    target = str((root / name).readlink())
    if target.startswith("/"):
        for base in filter(None, [root, runtime]):
            if Path(target).is_relative_to(base) and (
                base == root or Path(target).is_relative_to(base / RUNTIME_FOLDER)
            ):
                inside = str(Path(target).relative_to(base))
                return os.path.relpath(inside, os.path.dirname(name) or ".")  # noqa: PTH120 - as text
    if leads_out(name, target):
        raise BadInput(
            f"{name} is a link to {target}, outside of the build",
            remedy="a host would not have it: copy it into the context, or drop the link by build.exclude",
        )
    return target


def _placeless(path: Path) -> bytes:
    """A Python environment's pyvenv.cfg without the place it was made in.

    CPython then takes the interpreter that `.venv/bin/python` links to as its home (tried with 3.11 to 3.13).
    """
    lines = path.read_text().splitlines(keepends=True)
    return "".join(
        line for line in lines if line.partition("=")[0].strip() not in {"home", "executable", "command"}
    ).encode()


def _moved(root: Path, path: Path, name: str) -> bytes | None:
    """A script that names an interpreter in the folder it was made in: one that looks beside itself instead.

    None for all others. What `uv sync` and pip write into `.venv/bin` is of that kind.
    """
    with path.open("rb") as file:
        first = file.readline(512)
        if not (first.startswith(b"#!") and os.fsencode(root) in first):
            return None
        interpreter = Path(os.fsdecode(first[2:].strip()))
        if interpreter.parent != path.parent:
            raise BadInput(
                f"{name} runs only where it was built: it begins with {os.fsdecode(first).strip()}",
                remedy="drop it by build.exclude, or have it look for its interpreter on PATH",
            )
        return TRAMPOLINE.replace(b"INTERPRETER", os.fsencode(interpreter.name)) + file.read()


TRAMPOLINE = b"""#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")"/'INTERPRETER' "$0" "$@"
' '''
"""
"""To a shell a command, to Python a string in three quotes; the same that uv writes for relocatable ones."""
