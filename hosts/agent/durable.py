"""Atomic file replacement: after a crash a file has either its old or its new content."""

from __future__ import annotations

import fcntl
import os


def write(path: str, content: bytes, mode: int = 0o600, *, sync: bool = True) -> None:
    """Replace the content of `path`; with `sync`, file and folder are on the disk when this returns."""
    # One name for all writers: what a killed one left is used by the next, and does not lie there for good.
    temporary = f"{path}.new"
    handle = _own(temporary)
    try:
        _fill(handle, temporary, content, mode, sync)
        os.rename(temporary, path)
    finally:
        os.close(handle)
    if sync:
        sync_folder(os.path.dirname(path))


def _own(path: str) -> int:
    """A handle of the file at `path`, which no other writer has meanwhile; waits for one that has it."""
    while True:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(path, handle):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_at(path: str, handle: int) -> bool:
    """Whether the file is still there: the writer before may have renamed it, or given up."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False


def _fill(handle: int, path: str, content: bytes, mode: int, sync: bool) -> None:
    try:
        os.ftruncate(handle, 0)  # first: what a killed writer left may be secret, and the mode wider
        os.fchmod(handle, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        if sync:
            os.fsync(handle)
    except BaseException:
        os.unlink(path)
        raise


def sync_folder(path: str) -> None:
    """Flush a folder's entries, so that a rename in it survives a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: str) -> bytes | None:
    """The file's content, or None if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def unlink(path: str) -> bool:
    """Remove a file; returns False if there was none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
