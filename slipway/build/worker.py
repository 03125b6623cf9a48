"""Cloudflare's Worker, built with the app's own pinned runtime, which need not be installed."""

import os
from collections.abc import Callable
from pathlib import Path

from slipway.build.command import run_command
from slipway.build.runtime import install
from slipway.settings import App, BadInput
from slipway.settings.aws import WORKER_BUILD, WORKER_SCRIPT

_PACKAGES = {"bun": "bun install --frozen-lockfile", "node": "npm ci"}
"""What installs the app's packages, by runtime."""
_KEPT = ("HOME", "LANG", "LC_ALL", "NPM_CONFIG_REGISTRY", "TMPDIR")
"""Variables that the commands see besides PATH: no credentials."""


def build_worker(
    app: App, app_dir: Path, caches: Path | None, line: Callable[[str], None] = lambda _: None
) -> Path:
    """Build the Worker in the app's folder and return its script. Raises BuildFailed or BadInput.

    The app's packages are installed first if they are not there. `caches`: what the sandbox keeps between
    builds; None: no sandbox.
    """
    installed = install(app.runtime, line)
    if installed is None or app.runtime.name not in _PACKAGES:
        raise BadInput(
            f"slipway:cloudflare.worker is on, and runtime {app.runtime.name} cannot build a Worker",
            remedy=f"build {app_dir / WORKER_SCRIPT} by another way, or turn slipway:cloudflare.worker off",
        )
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    env = {**kept, "PATH": f"{installed.bin}:{os.environ.get('PATH', '')}"}
    commands = [WORKER_BUILD]
    if not (app_dir / "node_modules").is_dir():
        commands.insert(0, _PACKAGES[app.runtime.name])
    for command in commands:
        run_command(
            "the Worker's build",
            command,
            directory=app_dir,
            env=env,
            timeout=600,
            caches=caches,
            line=line,
        )
    script = app_dir / WORKER_SCRIPT
    if not script.is_file():
        raise BadInput(
            f"the Worker was built, and there is no {script}",
            remedy=f"`{WORKER_BUILD}` must write one module there",
        )
    return script
