"""Rules on runtime, build and migrations: versions are exact, and nothing reaches out of the context."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from slipway.settings.app import App
from slipway.settings.violations import Broken, KeyPath, shown

_EXACT = {
    "bun": (re.compile(r"^\d+\.\d+\.\d+$"), "1.4.5"),
    "node": (re.compile(r"^\d+\.\d+\.\d+$"), "24.11.1"),
    "python": (re.compile(r"^\d+\.\d+(\.\d+)?$"), "3.13"),
}


def build_rules(app: App, folder: Path) -> Iterator[Broken]:
    """What is wrong with runtime, build and migrate; `folder` is the one slipway.toml is in."""
    yield from _runtime(app)
    yield from _dependencies(app)
    if not (folder / app.build.context).is_dir():
        yield (
            ("build", "context"),
            f"there is no folder {shown(app.build.context)}",
            "give it relative to slipway.toml",
        )
    yield from _inside_the_context(app)


def _runtime(app: App) -> Iterator[Broken]:
    name, version = app.runtime.name, app.runtime.version
    if name == "none":
        if version:
            yield ("runtime", "version"), "must be left out: runtime none has no version", ""
        return
    pattern, example = _EXACT[name]
    if not version:
        yield ("runtime", "version"), "is required", f'pin one, for example "{example}"'
    elif not pattern.match(version):
        yield (
            ("runtime", "version"),
            f"must be one exact version, got {shown(version)}",
            f'for example "{example}": hosts run what was tested',
        )


def _dependencies(app: App) -> Iterator[Broken]:
    deps = app.build.deps
    if deps.command:
        if not deps.paths:
            yield (
                ("build", "deps", "paths"),
                "is required with build.deps.command",
                'say what the command makes, for example ["node_modules"]',
            )
        if not deps.inputs:
            yield (
                ("build", "deps", "inputs"),
                "is required with build.deps.command",
                'name the files that decide its result, for example ["package.json", "bun.lock"]',
            )
        return
    for key, given in (("paths", deps.paths), ("inputs", deps.inputs)):
        if given:
            yield (
                ("build", "deps", key),
                "has no meaning without build.deps.command",
                "give the command that installs the dependencies",
            )


def _inside_the_context(app: App) -> Iterator[Broken]:
    places: list[tuple[KeyPath, str]] = []
    for key, globs in (("include", app.build.include), ("exclude", app.build.exclude)):
        places += [(("build", key, index), glob) for index, glob in enumerate(globs)]
    for key, globs in (("inputs", app.build.deps.inputs), ("paths", app.build.deps.paths)):
        places += [(("build", "deps", key, index), glob) for index, glob in enumerate(globs)]
    places += [(("processes", name, "directory"), each.directory) for name, each in app.processes.items()]
    if app.migrate:
        places += [
            (("migrate", "directory"), app.migrate.directory),
            (("migrate", "files"), app.migrate.files),
        ]
    for place, path in places:
        if not path.strip():
            yield place, "must not be empty", ""
        elif path.startswith(("/", "~")) or ".." in PurePosixPath(path).parts:
            yield (
                place,
                f"must stay inside the build's context, got {shown(path)}",
                "give it relative to build.context; widen the context if it lies above",
            )
    if app.migrate and not app.migrate.files.endswith(".sql"):
        yield (
            ("migrate", "files"),
            f"must name .sql files, got {shown(app.migrate.files)}",
            'for example "migrations/*.up.sql"',
        )
