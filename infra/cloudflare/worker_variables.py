"""What the Worker is told: the settings that the app's web process has, and no secret."""

from __future__ import annotations

from slipway.settings.app import App
from slipway.settings.env import reaches
from slipway.settings.stack import Stack


def worker_variables(app: App, stack: Stack) -> dict[str, str]:
    """The plain entries of `[env]` that reach `web`, as this stack has them, and the site's address.

    So a limit that is changed for the app is changed for the Worker. Secrets and what comes from the stack's
    outputs (URLs with passwords in them) are left out; it is given its secrets outside of Pulumi.
    """
    told = {
        name: stack.env.get(name, var.value)
        for name, var in app.env.items()
        if not var.secret and var.source is None and reaches(var, "web")
    }
    return {name: value for name, value in told.items() if value} | {"PUBLIC_URL": f"https://{stack.domain}"}
