"""The root file system of an image: its layers laid over each other, and each file kept with its own layer.

A whiteout removes what lower layers have, so no host needs to know whiteouts. What survives of each layer of
the image becomes one layer of the build: the layers of a base image stay the same from release to release.

Nothing is unpacked by name here: contents go to numbered files, so no archive can write through a link.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hosts.agent import accounts, image
from slipway.build.image.archive import MOST_BYTES, too_large
from slipway.build.layer import Entry
from slipway.settings import BadInput

MOUNTED = ("dev", "proc", "run", "sys", "tmp", accounts.HOMES.removeprefix("/"), "var/tmp")
"""Folders over which a host mounts its own; what an image has in them is left out."""
ROOTS = ("bin", "etc", "lib", "lib64", "root", "sbin", "usr", "var")
"""Names that systemd makes in a root folder that lacks them (base-filesystem.c); a build must not change."""
BOUND = tuple(path.removeprefix("/") for path in image.BOUND)
"""Files over which a host puts its own; empty in a build."""
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
MOST_LINKS = 40
"""Links that may lead to each other, as in the kernel."""


@dataclass(frozen=True, slots=True)
class Node:
    """A name in the image's file system. `layer` counts from 0."""

    kind: Literal["file", "link", "folder"]
    layer: int
    origin: Path = Path()
    """Where a file's content is on this machine; hard links of each other have one."""
    size: int = 0
    program: bool = False
    target: str = ""


class Files:
    """The file system, by names relative to its root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Where contents are kept."""
        self.nodes: dict[str, Node] = {}
        self._count = 0
        self._room = MOST_BYTES

    def add(self, layer: Path, number: int) -> None:
        """Lay the next layer, a tar file, over those so far. Raises BadInput for what no build can hold."""
        with tarfile.open(layer, "r:") as tar:
            self._remove_whited_out(tar)
            for member in tar:
                name = _name(member.name)
                if name and not name.rpartition("/")[2].startswith(WHITEOUT):
                    self._add(tar, member, self._placed(name, number), number)

    def finish(self, number: int) -> None:
        """Prepare it for a host: places to mount at, as layer `number`; links that stay within the root."""
        for name in MOUNTED:
            self._drop_below(name)
            self.nodes.pop(name, None)
            self._put(name, Node("folder", number), number)
        for name in ROOTS:
            self.nodes.setdefault(name, Node("folder", number))
        empty = self.folder / "empty"
        empty.touch()
        for name in BOUND:
            self._put(self._placed(name, number), Node("file", number, empty), number)
        self._link_twins()
        for name, node in self.nodes.items():
            if node.kind == "link":
                self.nodes[name] = replace(node, target=self._portable(name, node.target))

    def entries(self, number: int) -> list[Entry]:
        """What survives of layer `number`, sorted, with the folders above."""
        mine = {name: node for name, node in self.nodes.items() if node.layer == number}
        for name in list(mine):
            for parent in _parents(name):
                mine.setdefault(parent, self.nodes[parent])
        return [
            Entry(name, node.kind, node.origin, node.size, node.program, node.target)
            for name, node in sorted(mine.items(), key=lambda item: os.fsencode(item[0]))
        ]

    def layers(self) -> list[int]:
        """The numbers of layers of which more survives than folders around what other layers have."""
        around = {parent for name in self.nodes for parent in _parents(name)}
        return sorted({node.layer for name, node in self.nodes.items() if name not in around})

    def resolve(self, path: str) -> str | None:
        """The name that `path`, from the root, leads to through all links; None if there is none."""
        name = self._walk([], path.split("/"), all_links=True)
        return name if name is not None and (not name or name in self.nodes) else None

    def read(self, name: str) -> str:
        """The text of a file; empty if there is none."""
        node = self.nodes.get(self.resolve(name) or "")
        return node.origin.read_text(errors="replace") if node and node.kind == "file" else ""

    def _remove_whited_out(self, tar: tarfile.TarFile) -> None:
        gone: set[str] = set()
        emptied: set[str] = set()
        for member in tar:
            folder, _, last = _name(member.name).rpartition("/")
            folder = self._walk([], folder.split("/"), all_links=True) or ""
            if last == OPAQUE:
                emptied.add(folder)
            elif last.startswith(WHITEOUT):
                gone.add(_joined(folder, last.removeprefix(WHITEOUT)))
        emptied |= gone
        if emptied:
            self.nodes = {
                name: node
                for name, node in self.nodes.items()
                if name not in gone and emptied.isdisjoint(("", *_parents(name)))
            }

    def _placed(self, name: str, number: int) -> str:
        """`name` with the links above it followed, as an engine would write it; missing folders are made."""
        folder, _, last = name.rpartition("/")
        if not folder:
            return last
        place = self._walk([], folder.split("/"), all_links=True)
        if place is None:
            raise BadInput(f"the image has a loop of links above {name}", remedy="build it again without")
        for parent in (*_parents(place), place) if place else ():
            if parent not in self.nodes or self.nodes[parent].kind == "file":
                self._put(parent, Node("folder", number), number)
        return _joined(place, last)

    def _add(self, tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, number: int) -> None:
        if any(name.startswith(f"{mounted}/") for mounted in MOUNTED):
            return
        if member.isdir():
            known = self.nodes.get(name)
            if known is None or known.kind != "folder":
                self._put(name, Node("folder", number), number)
        elif member.issym():
            self._put(name, Node("link", number, target=member.linkname), number)
        elif member.islnk():
            target = self.nodes.get(self._placed(_name(member.linkname), number))
            if target is None or target.kind == "folder":
                raise BadInput(
                    f"the image has a hard link {name} to {member.linkname}, which is not in it",
                    remedy="build it again",
                )
            self._put(name, replace(target, layer=number), number)
        elif member.isreg():
            self._put(name, self._content(tar, member, number), number)
        else:
            raise BadInput(
                f"the image has {name}, which is a device, pipe or socket",
                remedy="remove it from the image: hosts give an app the devices of /dev that it may use",
            )

    def _content(self, tar: tarfile.TarFile, member: tarfile.TarInfo, number: int) -> Node:
        self._count += 1
        self._room -= member.size
        if self._room < 0:  # a file with holes is short in an archive and long on a disk
            raise too_large("the image")
        path = self.folder / f"content-{self._count}"
        file = tar.extractfile(member)
        if file is None:
            raise BadInput(f"the image lacks the content of {member.name}", remedy="build it again")
        with file, path.open("wb") as target:
            shutil.copyfileobj(file, target, 1 << 20)
        return Node("file", number, path, path.stat().st_size, bool(member.mode & 0o111))

    def _put(self, name: str, node: Node, number: int) -> None:
        for parent in _parents(name):
            known = self.nodes.get(parent)
            if known is None or known.kind != "folder":
                self.nodes[parent] = Node("folder", number)
        known = self.nodes.get(name)
        if known is not None and known.kind == "folder" and node.kind != "folder":
            self._drop_below(name)
        self.nodes[name] = node

    def _drop_below(self, name: str) -> None:
        for below in [each for each in self.nodes if each.startswith(f"{name}/")]:
            del self.nodes[below]

    def _link_twins(self) -> None:
        """The first of hard links in a layer stays a file, the others link to it: a content is held once."""
        first: dict[tuple[Path, int], str] = {}
        for name in sorted(self.nodes):
            node = self.nodes[name]
            if node.kind == "file" and node.size:
                twin = first.setdefault((node.origin, node.layer), name)
                if twin != name:
                    target = os.path.relpath(f"/{twin}", f"/{name.rpartition('/')[0]}")
                    self.nodes[name] = Node("link", node.layer, target=target)

    def _portable(self, name: str, target: str) -> str:
        """A link's target as a host takes it: relative, with `..` at its beginning only, within the root."""
        folder = name.rpartition("/")[0]
        above = folder.split("/") if folder else []
        steps = target.split("/")
        climb = next((index for index, step in enumerate(steps) if step != ".."), len(steps))
        if not target.startswith("/") and ".." not in steps[climb:] and climb <= len(above):
            return target
        place = self._walk([] if target.startswith("/") else above, steps, all_links=False)
        if place is None:
            raise BadInput(
                f"the image's link {name} leads to {target}, which is a loop", remedy="build it again without"
            )
        return os.path.relpath(f"/{place}", f"/{folder}")

    def _walk(self, start: list[str], steps: list[str], *, all_links: bool) -> str | None:
        """Where `steps` lead from the folder `start`; `..` at the root stays there. None: a loop.

        Without `all_links`, only links that a `..` comes after are followed.
        """
        place, rest, followed = list(start), list(steps), 0
        while rest:
            step = rest.pop(0)
            if step == "..":
                place = place[:-1]
                continue
            if step in ("", "."):
                continue
            place.append(step)
            node = self.nodes.get("/".join(place))
            if node and node.kind == "link" and (all_links or ".." in rest):
                followed += 1
                if followed > MOST_LINKS:
                    return None
                place = [] if node.target.startswith("/") else place[:-1]
                rest = [*node.target.split("/"), *rest]
        return "/".join(place)


def _name(given: str) -> str:
    """A member's name, relative to the root. Raises BadInput for one that climbs."""
    parts = [part for part in given.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in given:
        raise BadInput(f"the image has a file named {given!r}, outside of its root", remedy="build it again")
    return "/".join(parts)


def _joined(folder: str, last: str) -> str:
    return f"{folder}/{last}" if folder else last


def _parents(name: str) -> Iterator[str]:
    """The folders above `name`, the uppermost first."""
    parts = name.split("/")[:-1]
    return ("/".join(parts[: index + 1]) for index in range(len(parts)))


def read_files(layers: Iterable[Path], folder: Path) -> Files:
    """The file system of an image's layers, ready for a host; contents are kept in `folder`."""
    files = Files(folder)
    number = -1
    for number, layer in enumerate(layers):
        files.add(layer, number)
        layer.unlink()
    files.finish(number + 1)
    return files
