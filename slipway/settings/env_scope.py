"""Who gets a variable of the env contract."""

from __future__ import annotations

from slipway.settings.app import App, EnvVar

SCOPES = ("migrate", "task", "cron", "smoke")
"""What an env may be made for besides processes."""


def known_scopes(app: App) -> list[str]:
    """Every scope of `app`: its processes, then SCOPES."""
    return [*app.processes, *SCOPES]


def reaches(var: EnvVar, scope: str) -> bool:
    """True if `var` is in the env of `scope`.

    Without a scope of its own it goes to every process, task and cron entry; plain settings (`value`) go to
    migrations too, but credentials only where they are named. Smoke steps see what is named for them.
    """
    if var.scope:
        return scope in var.scope
    if scope == "migrate":
        return not var.secret and var.source is None
    return scope != "smoke"
