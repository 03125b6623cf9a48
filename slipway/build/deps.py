"""The deps layer: what a package manager installs from lock files, in a clean folder, kept by its input.

Only `inputs` are there when the command runs, so nothing else can decide what it makes. In a monorepo the
links from `node_modules` to workspaces stay relative: deps and app unpack into one root, and meet again.
"""

from __future__ import annotations

from pathlib import Path

from slipway.build import cache
from slipway.build.command import BuildFailed
from slipway.build.globs import matcher
from slipway.build.inputs import settings_digest, tree_digest
from slipway.build.layer import LEVEL, Packed, pack, recalled, record_of
from slipway.build.meter import Meter
from slipway.build.order import Order
from slipway.build.runtime import architecture
from slipway.build.source import copy_files
from slipway.build.tree import collect
from slipway.settings.errors import BadInput


def deps_layer(order: Order, folder: Path) -> Packed | None:
    """The deps layer, from the cache or made in `folder` (empty); None if the app has none.

    Raises BadInput when no file matches `build.deps.inputs`, BuildFailed when the command fails or makes
    nothing.
    """
    deps, source = order.app.build.deps, order.source
    if deps.command is None:
        return None
    wanted = matcher(deps.inputs)
    inputs = [name for name in source.files if wanted(name)] if deps.inputs else list(source.files)
    if not inputs:
        raise BadInput(
            f"build.deps.inputs: no file in {source.root} matches {', '.join(deps.inputs)}",
            remedy="name the lock file and the package manifests, relative to build.context",
        )
    runtime = order.app.runtime.model_dump()
    content = tree_digest(source.root, inputs)
    key = settings_digest(content, deps.command, deps.paths, runtime, architecture(), LEVEL)
    if known := recalled(cache.recall("deps", key)):
        order.line("dependencies are unchanged")
        return known
    order.line(f"installing dependencies: {deps.command}")
    copy_files(source.root, inputs, folder)
    order.run("build.deps.command", deps.command, folder)
    entries = collect(folder, matcher(deps.paths), runtime=order.runtime_home)
    if not entries:
        raise BuildFailed(
            f"build.deps.command made none of {', '.join(deps.paths) or 'build.deps.paths, which is empty'}",
            remedy="build.deps.paths names what the command makes, for example node_modules",
        )
    layer = pack(entries, told=Meter("deps layer", entries, order.line))
    cache.remember("deps", key, record_of(layer))
    return layer
