"""Atomic file replacement: after a crash a file has either its old or its new content."""

from __future__ import annotations

import os


def write(path: str, content: bytes, mode: int = 0o600, *, sync: bool = True) -> None:
    """Replace the content of `path`; with `sync`, file and folder are on the disk when this returns."""
    temporary = f"{path}.{os.getpid()}.new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        os.fchmod(handle, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        if sync:
            os.fsync(handle)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        os.close(handle)
    os.rename(temporary, path)
    if sync:
        sync_folder(os.path.dirname(path))


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
