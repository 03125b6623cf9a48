"""Who acts: the name that the audit trail and the lease carry (X17)."""

from __future__ import annotations

import getpass
import os
import socket


def current_actor() -> str:
    """`user@machine`, or the person and the run in GitHub Actions."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        who = os.environ.get("GITHUB_ACTOR", "unknown")
        return f"{who}@github-run-{os.environ.get('GITHUB_RUN_ID', '0')}"
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in some containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def current_owner() -> str:
    """The actor with the process id: who holds a lease."""
    return f"{current_actor()} pid {os.getpid()}"
