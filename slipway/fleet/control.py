"""Kept ssh connections: where their sockets lie, and whether one is alive."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from pathlib import Path

from slipway.settings.errors import NeedsPerson

_LONGEST_SOCKET_PATH = 104
"""Bytes, with the final zero, on the strictest system; Linux has 108."""
_SSH_SUFFIX = 17
"""ssh makes the socket as `<path>.<16 random characters>` first."""


def control_folder(ssh_config: Path) -> Path:
    """The folder of the control sockets that belong to one generated ssh_config, made 0700 if absent.

    It is short, because the path of a Unix socket may be, and nobody else's, because whoever can open such a
    socket is root on the host. NeedsPerson: someone else made the folder.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    mark = hashlib.sha256(str(ssh_config.absolute()).encode()).hexdigest()[:10]
    parent = Path(runtime) / "slipway"
    if not runtime or len(os.fsencode(parent / mark)) + 32 + _SSH_SUFFIX > _LONGEST_SOCKET_PATH:
        parent = Path("/tmp") / f"slipway-{os.getuid()}"  # noqa: S108 - its owner and mode are checked
    folder = parent / mark
    for part in (parent, folder):
        part.mkdir(mode=0o700, exist_ok=True)
        found = part.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise NeedsPerson(
                f"{part} is not a folder of yours with mode 0700, so ssh connections cannot be kept in it",
                remedy=f"remove {part}",
            )
    return folder


def control_socket(ssh_config: Path, host: str) -> Path:
    """Where the kept connection to a host listens (as ControlPath in the ssh_config says)."""
    return control_folder(ssh_config) / host


def is_alive(path: Path) -> bool:
    """Whether an ssh master listens there. A dead one's socket is removed, so that a new one can be made."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            probe.connect(str(path))
            return True
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
        return False
    except OSError:
        return False
