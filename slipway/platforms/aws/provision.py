"""Provisioning from `slipway up`: Pulumi's engine, if its command line is on this machine."""

from __future__ import annotations

import shutil

from slipway.progress import Progress
from slipway.settings.aws_rules import left_placeholders
from slipway.settings.errors import BadInput
from slipway.settings.project import Project
from slipway.settings.stack import Stack
from slipway.settings.violations import dotted


def can_provision() -> bool:
    """Is the engine's command line here?"""
    return shutil.which("pulumi") is not None


def refuse_placeholders(stack: Stack) -> None:
    """BadInput, naming each, if settings still are an example's: they would be made for somebody else."""
    left = list(left_placeholders(stack))
    if left:
        raise BadInput(
            f"stack {stack.name} still has an example's values, so nothing was made",
            details=[f"slipway:{dotted(key)}: {problem}" for key, problem, _ in left],
            remedy=f"put your own into Pulumi.{stack.name}.yaml",
        )


def provision(project: Project, progress: Progress, *, break_lock: str = "") -> bool:
    """Have the engine make what infra/ says. False: the pulumi CLI is not here, and what exists must do.

    `break_lock`: owner of a lock on the stack's state that a person knows to be dead.
    """
    if not can_provision():
        progress.line("provisioning is skipped: the pulumi CLI is not on PATH; what exists is used as it is")
        return False
    if (project.root / "infra" / "__main__.py").exists():
        from slipway.platforms.aws.rules import refuse_broken_rules  # noqa: PLC0415 - the engine's machine has infra's

        progress.line(f"{refuse_broken_rules(project)} policy rules checked; none blocks this update")
    from slipway.platforms.aws.pulumi import up  # noqa: PLC0415 - the engine's own imports are heavy

    up(project, progress, break_lock=break_lock)
    return True
