"""The end of a preview: nothing of it stays. And what happens to previews when their host starts again."""

from __future__ import annotations

import os
import re
import time

from . import accounts, builds, durable, envfile, layers, preview_data, preview_edge, systemd
from .errors import AgentError
from .json_object import JsonObject
from .preview_record import Locked, Preview, PreviewPaths, every, load
from .program import run as run_program


def close(paths: PreviewPaths, name: str, request: JsonObject) -> dict[str, object]:
    """Remove all that was ever made for the preview; the record last. Quiet if there is none."""
    begun = time.monotonic()
    with Locked(paths, name, interrupt=True):
        preview = load(paths, name)
        if preview is None:
            return {"was_there": False, "seconds": 0.0}
        preview.state = "closing"
        preview.save(paths, step="edge")
        preview_edge.unroute(paths, preview)
        preview.save(paths, step="stop")
        _stop(paths, preview)
        preview.save(paths, step="data")
        preview_data.remove(paths, preview, request)
        preview.save(paths, step="files")
        for slot in (preview.name, f"{preview.name}.new"):
            envfile.remove_slot(paths, slot)
            durable.unlink(paths.slot(slot))
            layers.delete(f"{paths.homes}/{slot}")
        for scope in preview.scopes:
            _remove_account(accounts.account(scope))
        prune(paths, without=name)
        durable.unlink(paths.record(name))
        return {"was_there": True, "seconds": round(time.monotonic() - begun, 3)}


def _stop(paths: PreviewPaths, preview: Preview) -> None:
    names = units_of(preview)
    systemd.stop(names)
    systemd.forget_failures(names)
    for unit in names:
        durable.unlink(paths.unit(unit))
    preview_data.stop(preview)
    systemd.reload()
    if names:
        # systemd made one for each template name, and keeps it when it is empty.
        systemd.stop([_slice(unit) for unit in names])


def _slice(unit: str) -> str:
    """The slice of `unit`, which no other preview's unit is in."""
    escaped = unit.partition("@")[0].replace("-", "\\x2d")
    return f"system-{escaped}.slice"


def _remove_account(account: str) -> None:
    """A program that still runs under it would keep it: the units are stopped, so none does."""
    done = run_program("userdel", account)
    if done.code not in (0, 6):  # 6: there is no such account
        raise AgentError("accounts", f"userdel {account}: {done.err}")


def prune(paths: PreviewPaths, without: str = "") -> None:
    """Remove builds and layers that no preview needs from this host."""
    kept = {build: of for each in every(paths) if each.name != without for build, of in each.builds.items()}
    digests = {digest.removeprefix("sha256:") for of in kept.values() for digest in of}
    builds_gone = [paths.build(build) for build in builds.names_in(paths.builds) if build not in kept]
    layers_gone = [paths.layer(digest) for digest in builds.names_in(paths.layers) if digest not in digests]
    for path in (*builds_gone, *layers_gone):
        layers.delete(path)


def tidy(paths: PreviewPaths, request: JsonObject) -> dict[str, object]:
    """Remove what previews of a host that is gone have left on the database server that the request names."""
    with Locked(paths, "tidy"):
        kept = [preview.database for preview in every(paths)]
        return {"removed": preview_data.remove_strays(kept, request)}


def restore(paths: PreviewPaths) -> dict[str, object]:
    """After a reboot: start what is open. The previews' own servers start by themselves."""
    started = [preview for preview in every(paths) if preview.state == "open"]
    for preview in started:
        systemd.start(units_of(preview), block=False)
    return {"started": [preview.name for preview in started]}


def units_of(preview: Preview) -> list[str]:
    """The units of its processes that are on this host."""
    folder = PreviewPaths().units
    own = re.compile(rf"slipway-pv{preview.number}-[a-z0-9-]+@{preview.name}-\d+\.service")
    return [entry for entry in sorted(os.listdir(folder)) if own.fullmatch(entry)]
