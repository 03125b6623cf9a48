"""Rules across keys of slipway.toml: builds, processes and cron here; env and traffic beside.

The schema says what each key may hold; a rule says which keys contradict each other.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from slipway.settings.app import App, Process
from slipway.settings.env import SCOPES, env_rules
from slipway.settings.traffic_rules import traffic_rules
from slipway.settings.violations import Broken, KeyPath, shown


def broken_rules(app: App, folder: Path) -> list[Broken]:
    """Everything in `app` that cannot work; `folder` is the one slipway.toml is in."""
    return [*build_rules(app, folder), *process_rules(app), *env_rules(app), *traffic_rules(app)]


_EXACT = {
    "bun": (re.compile(r"^[0-9]+\.[0-9]+\.[0-9]+$"), "1.4.5"),
    "deno": (re.compile(r"^[0-9]+\.[0-9]+\.[0-9]+$"), "2.9.6"),
    "node": (re.compile(r"^[0-9]+\.[0-9]+\.[0-9]+$"), "24.11.1"),
    "python": (re.compile(r"^[0-9]+\.[0-9]+(\.[0-9]+)?$"), "3.13"),
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
    yield from _image(app)
    if name == "none" and app.runtime.apt:
        yield (
            ("runtime", "apt"),
            "has no meaning for runtime none, which has no layer",
            'give runtime.name = "debian"',
        )
    if name == "debian" and not app.runtime.apt:
        yield ("runtime", "apt"), "is required for runtime debian", 'for example ["ruby", "ruby-bundler"]'
    if name in ("debian", "image", "none"):
        if version:
            yield (
                ("runtime", "version"),
                f"must be left out: runtime {name} has no version",
                'a package is pinned in runtime.apt: "ruby=1:3.1"' if name == "debian" else "",
            )
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


def _image(app: App) -> Iterator[Broken]:
    """An image brings all that is in a build, so nothing else says how one is made."""
    runtime, build = app.runtime, app.build
    sources = [key for key in ("dockerfile", "archive", "reference") if getattr(runtime, key)]
    if runtime.name != "image":
        for key in sources:
            yield (
                ("runtime", key),
                f"has no meaning for runtime {runtime.name}",
                'give runtime.name = "image"',
            )
        for name, process in app.processes.items():
            if not process.command:
                yield ("processes", name, "command"), "is required", "the command that starts the process"
        return
    for key in sources[1:]:
        yield (
            ("runtime", key),
            f"must not be given together with runtime.{sources[0]}",
            "an image comes from one place",
        )
    if runtime.apt:
        yield ("runtime", "apt"), "has no meaning for runtime image", "install packages in the Dockerfile"
    if build.command:
        yield ("build", "command"), "has no meaning for runtime image", "the Dockerfile builds the app"
    if build.deps.command:
        yield (
            ("build", "deps", "command"),
            "has no meaning for runtime image",
            "the Dockerfile installs what the app needs",
        )
    for name, process in app.processes.items():
        if name != "web" and not process.command:
            yield (
                ("processes", name, "command"),
                "is required: only web takes the image's own",
                "the program in the image and its arguments",
            )


def _dependencies(app: App) -> Iterator[Broken]:
    deps = app.build.deps
    if deps.command:
        if not deps.paths:
            yield (
                ("build", "deps", "paths"),
                "is required with build.deps.command",
                'name what the command creates, for example ["node_modules"]',
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
    places += [(("runtime", "dockerfile"), app.runtime.dockerfile or "Dockerfile")]
    places += [(("runtime", "archive"), app.runtime.archive or "image.tar")]
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
                "give it relative to build.context; if it lies above, widen the context",
            )
    if app.migrate and not app.migrate.files.endswith(".sql"):
        yield (
            ("migrate", "files"),
            f"must name .sql files, got {shown(app.migrate.files)}",
            'for example "migrations/*.up.sql"',
        )


_CRONTAB = re.compile(r"^([0-9*/,\-]+\s+){4}[\w*/,\-]+$")


def process_rules(app: App) -> Iterator[Broken]:
    """What is wrong with processes, cron and retire."""
    for name, process in app.processes.items():
        yield from _process(app, name, process)
    yield from _cron(app)
    if app.web and app.retire.hold_seconds < app.observe.window_seconds:
        yield (
            ("retire", "hold_seconds"),
            f"must be at least observe.window_seconds ({app.observe.window_seconds:g}),"
            f" got {app.retire.hold_seconds}",
            "a release that fails in the window goes back to the old slot, which must still be warm",
        )


def _process(app: App, name: str, process: Process) -> Iterator[Broken]:
    if name in SCOPES:
        yield (
            ("processes", name),
            f'"{name}" cannot be the name of a process: it is a scope of env entries',
            "choose another name",
        )
    if name == "web" and process.role == "worker":
        yield (
            ("processes", name, "role"),
            "must be web: the process named web takes the traffic",
            "rename the process if it takes none",
        )
    if app.role_of(name) == "web" and process.overlap:
        yield (
            ("processes", name, "overlap"),
            "is for workers: processes on web hosts always run beside the old ones until they are ready",
            "remove it",
        )
    if name == "web" and process.health in app.private_paths:
        yield (
            ("private_paths", app.private_paths.index(process.health)),
            f"must not contain processes.web.health ({shown(process.health)})",
            "uptime monitors request it from outside; what must stay private belongs on the ready path",
        )
    if name != "web":
        for key in ("health", "ready"):
            if key in process.model_fields_set:
                yield (
                    ("processes", name, key),
                    "is only for the process named web: other processes get no HTTP requests",
                    "remove it",
                )


def _cron(app: App) -> Iterator[Broken]:
    for name, entry in app.cron.items():
        if _CRONTAB.match(entry.schedule.strip()):
            yield (
                ("cron", name, "schedule"),
                f"must be a systemd calendar time, got crontab's {shown(entry.schedule)}",
                'for example "*:0/5" (every 5 minutes) or "Mon *-*-* 09:00"',
            )
        if entry.path is None:
            if "secret" in entry.model_fields_set:
                yield ("cron", name, "secret"), "has no meaning with command", "remove it"
            continue
        if app.web is None:
            yield (
                ("cron", name, "path"),
                "needs a process named web, and there is none",
                "add [processes.web], or give a command instead",
            )
        var = app.env.get(entry.secret)
        if var is None or not var.secret:
            yield (
                ("cron", name, "secret"),
                f"{entry.secret} must be a secret of the env contract: the route is called with it as bearer",
                f'add {entry.secret} = {{ secret = true, generate = "base64:32" }} to [env]',
            )
        elif app.web is not None and var.scope and "web" not in var.scope:
            yield (
                ("env", entry.secret, "scope"),
                f'must hold "web": cron.{name} calls the web process with it',
                'add "web"',
            )
