"""Builds on this host's disk: made of their layers by hard links, pruned when no slot needs them.

Hard links, so that a build takes no disk space in addition to its layers, and so that a kept build can be
compared with them: each of its files must be the layer's own.
"""

from __future__ import annotations

import os
import time

from . import durable, layers, signature, tree
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import Exclusive, State, order_of

MOST_NAMED = 20
"""Altered files that an answer or error names."""


def lay_out(paths: Paths, build: str, digests: list[str]) -> list[str]:
    """Make `builds/<build>` of complete layers, later ones on top.

    One that is kept here is compared with its layers, and what differs is linked again; returns those names.
    """
    target = paths.build(build)
    if os.path.isdir(target):
        changed = differing(paths, build, digests)
        if changed:
            _link_again(paths, build, digests, changed)
        return changed
    os.makedirs(paths.builds, mode=0o755, exist_ok=True)
    os.makedirs(paths.work, mode=0o755, exist_ok=True)
    temporary = f"{paths.work}/{build}.{os.getpid()}"
    try:
        os.mkdir(temporary, 0o755)
        for digest in digests:
            _overlay(f"{paths.layer(digest)}/root", temporary)
        os.rename(temporary, target)
    finally:
        layers.delete(temporary)
    return []


def altered(paths: Paths, build: str) -> list[str]:
    """Files of a kept build that are not what its layers were when they were unpacked."""
    digests = _layers_of(paths, build)
    if not digests or not os.path.isdir(paths.build(build)):
        return []
    changed = {name for digest in digests for name in layers.altered(paths, digest)}
    return sorted(changed | set(differing(paths, build, digests)))


def damage(paths: Paths, build: str) -> AgentError | None:
    """The error that names what was changed in a kept build; None: it is as it was released."""
    changed = altered(paths, build)
    if not changed:
        return None
    return AgentError(
        "altered",
        f"{len(changed)} files of build {build} were changed on this host ({', '.join(changed[:3])}); "
        "staging the release again replaces them",
        detail={"files": changed[:MOST_NAMED]},
    )


def differing(paths: Paths, build: str, digests: list[str]) -> list[str]:
    """Names in a kept build that are not links to its layers' files: replaced, missing or added."""
    wanted = _composition(paths, digests)
    wrong = {name for name, identity in wanted.items() if identity is not None}
    for name, entry in tree.walk(paths.build(build)):
        if name in wanted and wanted[name] == _identity(entry):
            wrong.discard(name)
        elif name not in wanted or wanted[name] is None:
            wrong.add(name)
    return sorted(wrong)


Identity = int | str | None
"""What a name is: a file's inode, a link's target, or None for a folder."""


def _identity(entry: os.DirEntry[str]) -> Identity:
    if entry.is_symlink():
        return os.readlink(entry.path)
    return None if entry.is_dir(follow_symlinks=False) else entry.inode()


def _composition(paths: Paths, digests: list[str]) -> dict[str, Identity]:
    roots = [f"{paths.layer(digest)}/root" for digest in digests]
    return {name: _identity(entry) for root in roots for name, entry in tree.walk(root)}


def _link_again(paths: Paths, build: str, digests: list[str], names: list[str]) -> None:
    """Replace each of `names` by what the layers have. Each file changes atomically: a process may use it."""
    os.makedirs(paths.work, mode=0o755, exist_ok=True)
    new = f"{paths.work}/link.{os.getpid()}"
    for name in names:
        target = f"{paths.build(build)}/{name}"
        source = _source(paths, digests, name)
        if source is None or (os.path.isdir(target) and not os.path.islink(target)):
            _remove(target)
        if source is None:
            continue
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        durable.unlink(new)
        if os.path.islink(source):
            os.symlink(os.readlink(source), new)
        else:
            os.link(source, new)
        os.rename(new, target)


def _source(paths: Paths, digests: list[str], name: str) -> str | None:
    """The file or link `name` in the uppermost layer that has one."""
    for digest in reversed(digests):
        path = f"{paths.layer(digest)}/root/{name}"
        if os.path.islink(path) or os.path.isfile(path):
            return path
    return None


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        layers.delete(path)
    else:
        durable.unlink(path)


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
    """A later layer's file replaces an earlier one's, but never a folder."""
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


def prune(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `prune`. Files are renamed under the lock and deleted after it."""
    begun = time.monotonic()
    keep = request.whole("keep")
    order = order_of(request) if request.has("fence") else None
    os.makedirs(paths.work, mode=0o755, exist_ok=True)
    with Exclusive(paths, "prune", order) as state:
        if state.live and state.live.release == request.whole("promoted", 0):
            signature.raise_floor(state, signature.fence_of(state.live))
        before = _free(paths)
        leftovers = [f"{paths.work}/{name}" for name in os.listdir(paths.work)]
        leftovers += [f"{paths.homes}/{name}" for name in names_in(paths.homes) if name.startswith("gone-")]
        builds = _builds(paths)
        kept = _kept(state, builds, keep)
        gone = [build for build in builds if build not in kept]
        needed = {digest for build in kept for digest in _layers_of(paths, build)}
        unneeded = [name for name in names_in(paths.layers) if name not in needed]
        for build in gone:
            leftovers.append(_aside(paths, paths.build(build)))
            durable.unlink(f"{paths.build(build)}.layers")
        leftovers += [_aside(paths, paths.layer(name)) for name in unneeded]
        killed = state.killed
    for path in leftovers:
        layers.delete(path)
    return {
        "builds": gone,
        "layers": [f"sha256:{name}" for name in unneeded],
        "bytes": max(0, _free(paths) - before),
        "killed": killed,
        "seconds": round(time.monotonic() - begun, 3),
    }


def _builds(paths: Paths) -> list[str]:
    """The builds on this host, the last staged one first."""
    names = [name for name in names_in(paths.builds) if not name.endswith(".layers")]
    return sorted(names, key=lambda name: _staged(paths, name), reverse=True)


def _staged(paths: Paths, build: str) -> float:
    try:
        return os.stat(f"{paths.build(build)}.layers").st_mtime
    except FileNotFoundError:
        return 0.0


def _kept(state: State, builds: list[str], keep: int) -> set[str]:
    return {slot.build for slot in state.slots.values() if slot.state != "empty"} | set(builds[:keep])


def _layers_of(paths: Paths, build: str) -> list[str]:
    text = durable.read(f"{paths.build(build)}.layers") or b""
    return [digest.removeprefix("sha256:") for digest in text.decode().split()]


def names_in(folder: str) -> list[str]:
    """What is in `folder`, sorted; nothing if it is not there."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def _aside(paths: Paths, path: str) -> str:
    aside = f"{paths.work}/gone-{os.path.basename(path)}"
    os.rename(path, aside)
    return aside


def _free(paths: Paths) -> int:
    disk = os.statvfs(paths.srv)
    return disk.f_bavail * disk.f_frsize
