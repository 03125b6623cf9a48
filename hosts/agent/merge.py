"""A build's tree: its layers laid over each other by hard links, so that a build costs no disk of its own."""

from __future__ import annotations

import os
import shutil

from .errors import AgentError
from .paths import Paths


def merge(paths: Paths, build: str, digests: list[str]) -> bool:
    """Make `builds/<build>` of complete layers, later ones on top; False if it was there already."""
    target = paths.build(build)
    if os.path.isdir(target):
        return False
    os.makedirs(paths.builds, mode=0o755, exist_ok=True)
    os.makedirs(paths.work, mode=0o755, exist_ok=True)
    temporary = f"{paths.work}/{build}.{os.getpid()}"
    try:
        os.mkdir(temporary, 0o755)
        for digest in digests:
            _overlay(f"{paths.layer(digest)}/root", temporary)
        os.rename(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def _overlay(source: str, target: str) -> None:
    """Link every file of `source` into `target` (which exists)."""
    link, symlink, readlink = os.link, os.symlink, os.readlink
    folders = [(source, target)]
    while folders:
        source, target = folders.pop()
        with os.scandir(source) as entries:
            for entry in entries:
                to = f"{target}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    _folder(to)
                    folders.append((entry.path, to))
                    continue
                try:
                    if entry.is_symlink():
                        symlink(readlink(entry.path), to)
                    else:
                        link(entry.path, to)
                except FileExistsError:
                    _replace(entry, to)


def _folder(path: str) -> None:
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        if os.path.islink(path) or not os.path.isdir(path):
            raise _conflict(path) from None


def _replace(entry: os.DirEntry[str], path: str) -> None:
    """A later layer's file takes the place of an earlier one's; never the place of a folder."""
    if os.path.isdir(path) and not os.path.islink(path):
        raise _conflict(path)
    os.unlink(path)
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), path)
    else:
        os.link(entry.path, path)


def _conflict(path: str) -> AgentError:
    return AgentError(
        "bad_layer", f"{os.path.basename(path)} is a folder in one layer and a file or link in another"
    )
