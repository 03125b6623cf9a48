"""Provisioning from `slipway up`: Pulumi's engine, if its command line is on this machine."""

from __future__ import annotations

import shutil

from slipway.progress.protocol import Progress
from slipway.settings.project import Project


def provision(project: Project, progress: Progress, *, break_lock: str = "") -> bool:
    """Have the engine make what infra/ says. False: the pulumi CLI is not here, and what exists must do.

    `break_lock`: owner of a lock on the stack's state that a person knows to be dead.
    """
    if shutil.which("pulumi") is None:
        progress.line("provisioning is skipped: the pulumi CLI is not on PATH; what exists is used as it is")
        return False
    from slipway.engine import up  # noqa: PLC0415 - the engine's own imports are heavy

    up(project, progress, break_lock=break_lock)
    return True
