"""The app layer: the context after the build command, without what the deps layer holds or excludes."""

from __future__ import annotations

from pathlib import Path

from slipway.build.command import BuildFailed
from slipway.build.globs import matcher
from slipway.build.order import Order
from slipway.build.source import ALWAYS_LEFT_OUT, copy_files
from slipway.build.tree import RUNTIME_FOLDER, Entry, collect


def app_entries(order: Order, folder: Path) -> list[Entry]:
    """Copy the source into `folder` (empty), run the build command there, and list what the app layer holds.

    What git ignores is not copied, but what the command makes counts, ignored or not. Raises BuildFailed.
    """
    settings = order.app.build
    copy_files(order.source.root, order.source.files, folder)
    if settings.command:
        order.line(f"building: {settings.command}")
        order.run("build.command", settings.command, folder)
    in_deps = settings.deps.paths if settings.deps.command else []
    left_out = matcher([*ALWAYS_LEFT_OUT, RUNTIME_FOLDER, *in_deps, *settings.exclude])
    entries = collect(folder, matcher(settings.include), skip=left_out, runtime=order.runtime_home)
    if not entries:
        raise BuildFailed(
            "the app layer is empty", remedy="do build.include and build.exclude leave anything?"
        )
    return entries
