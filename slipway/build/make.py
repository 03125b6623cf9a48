"""Making a build that was not found: dependencies, the app's own build, layers, SBOM, manifest."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slipway.build import cache
from slipway.build.command import BuildFailed, run_command
from slipway.build.layer import LEVEL, RUNTIME_FOLDER, Entry, Packed, collect, pack, recalled, record_of
from slipway.build.lockfiles import Package, read_lockfiles
from slipway.build.manifest import (
    Git,
    Image,
    Kind,
    Layer,
    Manifest,
    MigrateCommand,
    RuntimeOf,
    declared_by,
    folder_digest,
    read_migrations,
    seal,
    unmatched_migrations,
)
from slipway.build.runtime import Installed, architecture, runtime_layer
from slipway.build.sbom import make_sbom
from slipway.build.source import ALWAYS_LEFT_OUT, Source, copy_files, matcher
from slipway.settings import App, BadInput


def make(order: Order, folder: Path, digest: str) -> tuple[Manifest, dict[str, Path], bytes]:
    """Manifest, layer files by digest, and SBOM of `order`, whose input is `digest`; `folder` is empty."""
    app, source = order.app, order.source
    made = _of_image(order, folder) if app.runtime.name == "image" else _of_source(order, folder)
    app = made.app
    migrations = read_migrations(made.origins, app.migrate)
    unmatched = unmatched_migrations(made.origins, app.migrate) if app.migrate else {}
    notes = [*_notes(app, list(made.origins), list(unmatched), found=bool(migrations)), *made.notes]
    for note in notes:
        order.line(f"note: {note}")

    ran_by = RuntimeOf(name=app.runtime.name, version=app.runtime.version)
    packages = sorted({*read_lockfiles(source.root, source.files), *made.packages}, key=_order)
    sbom = make_sbom(app.name, source.sha, ran_by, packages)
    manifest = seal(
        app=app.name,
        arch=architecture(),
        runtime=ran_by,
        git=Git(sha=source.sha, dirty=source.dirty, subject=order.redact(source.subject)),
        layers=[
            Layer(kind=kind, digest=layer.digest, size=layer.size, unpacked_size=layer.unpacked_size)
            for kind, layer in made.layers
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
            folder=folder_digest(unmatched),
        ),
        declared=declared_by(app),
        sbom=f"sha256:{hashlib.sha256(sbom).hexdigest()}",
        image=made.image,
        input=digest,
        notes=notes,
    )
    return manifest, {layer.digest: layer.path for _, layer in made.layers}, sbom


@dataclass(frozen=True)
class Made:
    """What goes into a build. `origins`: its files by the names that slipway.toml knows them by."""

    app: App
    layers: list[tuple[Kind, Packed]]
    origins: dict[str, Path]
    packages: list[Package]
    notes: Sequence[str] = ()
    image: Image | None = None


def _of_source(order: Order, folder: Path) -> Made:
    """Runtime, dependencies and the app's own files, each as a layer."""
    app = order.app
    packed: list[tuple[Kind, Packed]] = []
    if order.runtime:
        packed.append(("runtime", runtime_layer(order.runtime)))
    for name in ("deps", "app"):
        (folder / name).mkdir()
    if deps := deps_layer(order, folder / "deps"):
        packed.append(("deps", deps))
    entries = app_entries(order, folder / "app")
    _refuse_missing_directories(app, entries)
    report = PackingProgress("app layer", entries, order.line)
    packed.append(("app", pack(entries, times="content", report=report)))
    debs = order.runtime.debs if order.runtime else ()
    return Made(
        app,
        packed,
        origins={entry.name: entry.origin for entry in entries if entry.kind == "file"},
        packages=[Package("deb", f"debian/{deb.name}", deb.version, f"sha256:{deb.sha256}") for deb in debs],
        notes=order.runtime.notes if order.runtime else (),
    )


def _of_image(order: Order, folder: Path) -> Made:
    """The layers of a container image; what slipway.toml leaves to the image is filled into the app."""
    from slipway.build.image.content import read_content  # noqa: PLC0415 - only builds of images need it
    from slipway.build.image.engine import archive_of  # noqa: PLC0415

    contents = folder / "contents"
    contents.mkdir()
    archive = archive_of(order.app.runtime, order.source, folder, order.public, order.engine)
    content = read_content(order.app, archive, architecture(), contents, order.line)
    return Made(
        content.app,
        [("image", layer) for layer in content.layers],
        content.origins,
        content.packages,
        content.notes,
        content.image,
    )


def _order(package: Package) -> tuple[str, str, str, str]:
    return package.ecosystem, package.name, package.version, package.integrity


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


def _notes(app: App, names: list[str], unmatched: list[str], *, found: bool) -> list[str]:
    notes: list[str] = []
    maps = [name for name in names if name.endswith((".js.map", ".css.map", ".mjs.map"))]
    if app.runtime.name == "image":
        maps = []  # those of packages in the image are none of the app's
    if maps:
        notes.append(
            f"{len(maps)} source maps in the app layer ({maps[0]}): whoever downloads them reads your "
            "source; drop them with build.exclude"
        )
    if app.migrate and not found:
        notes.append(
            f"migrate.files: no file of the build matches {app.migrate.files}; "
            "every release runs the migrate command"
        )
    if unmatched:
        notes.append(
            f"migrate.files does not match {len(unmatched)} files beside the migrations ({unmatched[0]}); "
            "the migrate command runs when one of them changes"
        )
    return notes


@dataclass(frozen=True)
class Order:
    """What one build is made of and made with. `runtime` None: the app contains its own."""

    app: App
    source: Source
    runtime: Installed | None = None
    public: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values that everyone may see, which the build may contain."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """The whole environment of the build's commands."""
    caches: Path | None = None
    """What the sandbox of the build's commands keeps between builds; None: they run without a sandbox."""
    redact: Callable[[str], str] = str
    line: Callable[[str], None] = lambda _: None

    @property
    def runtime_home(self) -> Path | None:
        """The folder whose `.runtime` the commands see."""
        return self.runtime.home if self.runtime else None

    def run(self, title: str, command: str, directory: Path) -> None:
        """Run one of the build's commands; see `run_command`."""
        run_command(
            title,
            command,
            directory=directory,
            env=self.env,
            timeout=self.app.build.timeout_seconds,
            caches=self.caches,
            redact=self.redact,
            line=self.line,
        )

    def engine(self, title: str, command: str, directory: Path, env: Mapping[str, str]) -> None:
        """Run a command of the container engine: its client is none of the build's commands."""
        run_command(
            title,
            command,
            directory=directory,
            env=env,
            timeout=self.app.build.timeout_seconds,
            caches=None,
            redact=self.redact,
            line=self.line,
        )


def deps_layer(order: Order, folder: Path) -> Packed | None:
    """The deps layer, from the cache or made in `folder` (empty); None if the app has none.

    Only `deps.inputs` are in the folder when the command runs, so nothing else can decide what it makes. In a
    monorepo the links from `node_modules` to workspaces stay relative: deps and app unpack into one root.

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
    runtime = order.runtime.home.name if order.runtime else ""
    content = cache.tree_digest(source.root, inputs)
    key = cache.settings_digest(content, deps.command, deps.paths, runtime, architecture(), LEVEL)
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
    layer = pack(entries, report=PackingProgress("deps layer", entries, order.line))
    cache.remember("deps", key, record_of(layer))
    return layer


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


EVERY_SECONDS = 2.0


class PackingProgress:
    """Reports how far the packing of a large layer is: `app layer: 120 of 900 MB`, every two seconds."""

    def __init__(self, name: str, entries: Iterable[Entry], line: Callable[[str], None]) -> None:
        self.name, self.line = name, line
        self.total = sum(entry.size for entry in entries)
        self.next = time.monotonic() + EVERY_SECONDS

    def __call__(self, count: int) -> None:
        now = time.monotonic()
        if now >= self.next:
            self.next = now + EVERY_SECONDS
            self.line(f"{self.name}: {min(count, self.total) / 1e6:.0f} of {self.total / 1e6:.0f} MB")
