"""AWS' session-manager-plugin on this machine: there, and new enough."""

from __future__ import annotations

import re
import subprocess

from slipway.settings.errors import BadInput

PLUGIN = "session-manager-plugin"
NEWER_THAN = (1, 2, 497, 0)
"""Up to this version it takes the session's token in its arguments, which everybody on the machine can read.
(awscli, customizations/sessionmanager.py: LAST_PLUGIN_VERSION_WITHOUT_ENV_VAR)"""
INSTALL = (
    "install it: https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html"
)


def find_plugin() -> str:
    """Its version. BadInput: it is not on PATH, or too old."""
    try:
        done = subprocess.run([PLUGIN, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except FileNotFoundError:
        raise BadInput(f"{PLUGIN} is not on PATH: hosts on AWS are reached by it", remedy=INSTALL) from None
    version = done.stdout.strip()
    if not re.fullmatch(r"\d+(\.\d+){2,3}", version):
        raise BadInput(f"{PLUGIN} does not tell its version", remedy=INSTALL)
    if tuple(int(part) for part in version.split(".")) <= NEWER_THAN:
        newest = ".".join(str(part) for part in NEWER_THAN)
        raise BadInput(f"{PLUGIN} {version} is too old: newer than {newest} is needed", remedy=INSTALL)
    return version
