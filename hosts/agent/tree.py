"""The files of a layer as they were unpacked, and whether they still are: by their digests, seldom read.

The record holds each file's digest and stat. A file whose stat is unchanged is not read again; one whose stat
differs is. A link that a build makes or loses changes nothing but the number of links and the time of change.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat

from . import durable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import cast
else:

    def cast(_type: object, value: object) -> object:
        """`typing.cast` without importing typing."""
        return value


Fingerprint = list[object]
"""Mode, size, times of modification and change, inode, number of links, SHA-256; for a link its target."""


def walk(root: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below `root` with its name relative to it; folders before what is in them."""
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(f"{root}/{folder}") as entries:
            for entry in entries:
                name = f"{folder}{entry.name}"
                yield name, entry
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{name}/")


def record(root: str, path: str) -> None:
    """Write the record of `root` to `path`."""
    _save(path, {name: _fingerprint(entry) for name, entry in _files(root)})


def altered(root: str, path: str) -> list[str]:
    """The names of files below `root` that are not as recorded at `path`: changed, missing or added."""
    try:
        content = durable.read(path)
        known = cast("dict[str, Fingerprint]", json.loads(content or b""))
    except ValueError:
        return ["the record of the layer's files"]
    found = dict(_files(root))
    wrong = [name for name in known if name not in found] + [name for name in found if name not in known]
    is_newer = False
    for name, entry in found.items():
        if name not in known:
            continue
        now, then = _stat(entry), known[name]
        if now == then[: len(now)]:
            continue
        if not _only_links_differ(now, then) and (now[:2] != then[:2] or _digest(entry.path) != then[-1]):
            wrong.append(name)
            continue
        known[name] = [*now, then[-1]]
        is_newer = True
    if is_newer:
        _save(path, known)
    return sorted(wrong)


def _files(root: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    return ((name, entry) for name, entry in walk(root) if not entry.is_dir(follow_symlinks=False))


def _stat(entry: os.DirEntry[str]) -> Fingerprint:
    if entry.is_symlink():
        return [os.readlink(entry.path)]
    is_ = entry.stat(follow_symlinks=False)
    mode = stat.S_IMODE(is_.st_mode)
    return [mode, is_.st_size, is_.st_mtime_ns, is_.st_ctime_ns, is_.st_ino, is_.st_nlink]


def _only_links_differ(now: Fingerprint, then: Fingerprint) -> bool:
    same = (0, 1, 2, 4)
    return len(now) == 6 and len(then) == 7 and now[5] != then[5] and all(now[i] == then[i] for i in same)


def _fingerprint(entry: os.DirEntry[str]) -> Fingerprint:
    now = _stat(entry)
    return now if entry.is_symlink() else [*now, _digest(entry.path)]


def _digest(path: str) -> str:
    if os.path.islink(path):
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _save(path: str, known: dict[str, Fingerprint]) -> None:
    durable.write(path, json.dumps(known, separators=(",", ":")).encode(), 0o644, sync=False)
