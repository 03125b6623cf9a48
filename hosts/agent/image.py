"""A build that is a container image's file system: its processes have it as their root folder.

No container engine: systemd changes the root (RootDirectory=) under the sandbox that every app has. The rest
of the host is out of sight but for a few files (BOUND), which the build has as empty files to mount at. The
build itself is read-only; a process may write to its home and to /tmp.
"""

from __future__ import annotations

import os
import re

from . import accounts
from .errors import AgentError
from .host import Paths
from .json_object import JsonObject
from .state import Slot

BOUND = ("/etc/group", "/etc/hosts", "/etc/passwd", "/etc/resolv.conf", "/etc/slipway/ca.pem")
"""The host's own: names of hosts and accounts, and the authority of the stack's data services."""


class Image:
    """What the manifest says of the image (slipway/build/manifest.py); `root` is the build on this host.

    systemd 252 takes no link as a root, so it is the build's own folder and not the slot's link.
    """

    def __init__(self, root: str, fields: JsonObject) -> None:
        self.root = root
        self.env = dict(sorted(fields.strings("env").items()))
        """Sorted: a unit's text must not depend on how the manifest was sent."""

    @property
    def path(self) -> str:
        """Where programs are looked for."""
        return self.env.get("PATH", "/usr/local/bin:/usr/bin:/bin")

    def check(self) -> None:
        """Raises `bad_request` for variables that no image could declare."""
        for name in self.env:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise AgentError("bad_request", f"image.env: {name!r} is not a name of a variable")

    def settings(self) -> list[str]:
        """What a unit has beside the sandbox. The tmpfs keeps systemd from making folders in the build."""
        homes = accounts.HOMES
        files = " ".join(f"-{path}" for path in BOUND)
        return [
            f"RootDirectory={self.root}",
            "MountAPIVFS=yes",
            f"TemporaryFileSystem={homes}:ro,mode=0755",
            f"BindReadOnlyPaths={files}",
        ]

    def words(self, command: str) -> list[str]:
        """The words of `command`, which names its program by its path. An image need not have a shell."""
        import shlex

        try:
            words = shlex.split(command)
        except ValueError as error:
            raise AgentError("bad_request", f"command {command!r}: {error}") from None
        if not words or not re.fullmatch(r"/[\w.@+~,=:/-]+", words[0]):
            raise AgentError("bad_request", f"command {command!r} does not begin with a program's path")
        return words

    def found(self, program: str) -> str:
        """The path of `program` in the image. Raises `bad_request` if it has none."""
        folders = [""] if program.startswith("/") else self.path.split(":")
        for name in (os.path.join(folder, program) for folder in folders):
            if os.path.isfile(f"{self.root}/{name}"):
                return name
        raise AgentError("bad_request", f"the image has no program {program}")


def of(paths: Paths, slot: Slot) -> Image | None:
    """The image that `slot` runs; None for a build of another kind."""
    return Image(paths.build(slot.build), JsonObject(slot.image, "image")) if slot.image else None
