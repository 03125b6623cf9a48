"""A stack's state folder: one `up` or `down` at a time, and files that others cannot read."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from slipway.settings import LeaseHeld, Project


@contextmanager
def only_one(project: Project) -> Generator[None]:
    """Hold the fleet's lock on this machine; LeaseHeld names the process that has it. A dead one has not."""
    project.state_dir.mkdir(parents=True, exist_ok=True)
    path = project.state_dir / "up.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(handle, 20).decode()
            raise LeaseHeld(
                f"another `slipway up` or `down` of {project.fleet_id} runs (pid {pid})", remedy="wait for it"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, never readable by others, and never half-written."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def keep_private(path: Path, content: bytes) -> bool:
    """`write_private` unless it holds just that already; True if it was written."""
    try:
        if path.read_bytes() == content:
            return False
    except FileNotFoundError:
        pass
    write_private(path, content)
    return True
