"""Prune: remove builds and layers that no slot holds and that are not among the newest."""

from __future__ import annotations

import os
import shutil
import time

from . import durable
from .fields import Fields
from .host import Host
from .paths import Paths
from .state import Exclusive, State


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `prune`. What goes is renamed under the lock and deleted after it."""
    begun = time.monotonic()
    keep = request.whole("keep")
    fence = request.whole("fence") if request.has("fence") else None
    os.makedirs(paths.work, mode=0o755, exist_ok=True)
    with Exclusive(paths, "prune", fence) as state:
        before = _free(paths)
        leftovers = [f"{paths.work}/{name}" for name in os.listdir(paths.work)]
        builds = _builds(paths)
        kept = _kept(state, builds, keep)
        gone = [build for build in builds if build not in kept]
        needed = {digest for build in kept for digest in _layers_of(paths, build)}
        layers = [name for name in _names(paths.layers) if name not in needed]
        for build in gone:
            leftovers.append(_aside(paths, paths.build(build)))
            durable.unlink(f"{paths.build(build)}.layers")
        leftovers += [_aside(paths, paths.layer(name)) for name in layers]
    for path in leftovers:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            durable.unlink(path)
    return {
        "builds": gone,
        "layers": [f"sha256:{name}" for name in layers],
        "bytes": max(0, _free(paths) - before),
        "seconds": round(time.monotonic() - begun, 3),
    }


def _builds(paths: Paths) -> list[str]:
    """The builds on this host, the one staged last first."""
    names = [name for name in _names(paths.builds) if not name.endswith(".layers")]
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


def _names(folder: str) -> list[str]:
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
