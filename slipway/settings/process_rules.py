"""Rules on processes, cron entries and what the kit asks of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slipway.settings.app import App, Process
from slipway.settings.env_scope import SCOPES
from slipway.settings.violations import Broken, shown

_CRONTAB = re.compile(r"^([\d*/,\-]+\s+){4}[\w*/,\-]+$")


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
            f"must not hold processes.web.health ({shown(process.health)})",
            "uptime monitors ask for it from outside; what must stay inside belongs on the ready path",
        )
    if name != "web":
        for key in ("health", "ready"):
            if key in process.model_fields_set:
                yield (
                    ("processes", name, key),
                    "is only for the process named web: nothing asks others over HTTP",
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
        elif not entry.schedule.strip():
            yield ("cron", name, "schedule"), "must not be empty", 'for example "*:0/5"'
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
