"""Making a build that was not found: dependencies, the app's own build, layers, SBOM, manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from slipway.build.app_layer import app_entries
from slipway.build.deps import deps_layer
from slipway.build.layer import Packed, pack
from slipway.build.lockfiles import READERS, read_lockfiles
from slipway.build.manifest import Git, Kind, Layer, Manifest, MigrateCommand, RuntimeOf, seal
from slipway.build.meter import Meter
from slipway.build.migrations import read_migrations
from slipway.build.order import Order
from slipway.build.runtime import architecture, runtime_layer
from slipway.build.sbom import make_sbom
from slipway.build.tree import Entry
from slipway.settings.app import App
from slipway.settings.errors import BadInput


def make(order: Order, folder: Path, digest: str) -> tuple[Manifest, dict[str, Path], bytes]:
    """Manifest, layer files by digest, and SBOM of `order`, whose input is `digest`; `folder` is empty."""
    app, source = order.app, order.source
    packed: dict[Kind, Packed] = {}
    if order.runtime:
        packed["runtime"] = runtime_layer(app.runtime, order.runtime)
    for name in ("deps", "app"):
        (folder / name).mkdir()
    if deps := deps_layer(order, folder / "deps"):
        packed["deps"] = deps
    entries = app_entries(order, folder / "app")
    _refuse_missing_directories(app, entries)
    migrations = read_migrations(entries, app.migrate)
    notes = _notes(app, entries, found_migrations=bool(migrations))
    for note in notes:
        order.line(f"note: {note}")
    packed["app"] = pack(entries, times="content", told=Meter("app layer", entries, order.line))

    ran_by = RuntimeOf(name=app.runtime.name, version=app.runtime.version)
    locks = [name for name in source.files if Path(name).name in READERS]
    sbom = make_sbom(app.name, source.sha, ran_by, read_lockfiles(source.root, locks))
    manifest = seal(
        app=app.name,
        arch=architecture(),
        runtime=ran_by,
        git=Git(sha=source.sha, dirty=source.dirty, subject=order.redact(source.subject)),
        layers=[
            Layer(kind=kind, digest=layer.digest, size=layer.size, unpacked_size=layer.unpacked_size)
            for kind, layer in packed.items()
        ],
        migrations=migrations,
        processes={
            name: process.model_copy(update={"role": app.role_of(name)})
            for name, process in app.processes.items()
        },
        cron=app.cron,
        migrate=app.migrate
        and MigrateCommand(
            command=app.migrate.command,
            directory=app.migrate.directory,
            timeout_seconds=app.migrate.timeout_seconds,
        ),
        sbom=f"sha256:{hashlib.sha256(sbom).hexdigest()}",
        input=digest,
        notes=notes,
    )
    return manifest, {layer.digest: layer.path for layer in packed.values()}, sbom


def _refuse_missing_directories(app: App, entries: list[Entry]) -> None:
    """A process whose working directory is not in the build would fail on every host; here it fails once."""
    folders = {entry.name for entry in entries if entry.kind == "folder"} | {"."}
    wanted = {f"processes.{name}": process.directory for name, process in app.processes.items()}
    if app.migrate:
        wanted["migrate"] = app.migrate.directory
    for where, directory in wanted.items():
        if (directory.strip("/").removeprefix("./") or ".") not in folders:
            raise BadInput(
                f"{where}.directory: the build has no folder {directory}",
                remedy="it is relative to build.context; is it left out by build.include or build.exclude?",
            )


def _notes(app: App, entries: list[Entry], *, found_migrations: bool) -> list[str]:
    notes: list[str] = []
    maps = [entry.name for entry in entries if entry.name.endswith((".js.map", ".css.map", ".mjs.map"))]
    if maps:
        notes.append(
            f"{len(maps)} source maps in the app layer ({maps[0]}): whoever is served them reads your "
            "source; drop them with build.exclude"
        )
    if app.migrate and not found_migrations:
        notes.append(f"migrate.files: no file of the build matches {app.migrate.files}")
    return notes
