"""Asks the engine what an update would do, and reads the answer in full or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from slipway.platforms.aws.pulumi.open import told
from slipway.platforms.aws.pulumi.plan import Plan
from slipway.platforms.aws.pulumi.step import read_steps, unread
from slipway.progress import Progress
from slipway.settings.errors import NeedsPerson
from slipway.settings.project import Project

if TYPE_CHECKING:
    from pulumi.automation import Stack
    from pulumi.automation.events import EngineEvent


def preview(project: Project, stack: Stack, progress: Progress, file: Path) -> Plan:
    """The plan of an update, against the cloud as it is now; the engine's own record of it goes to `file`."""
    events: list[EngineEvent] = []
    with progress.phase("preview"), told("the preview"):
        file.parent.mkdir(parents=True, exist_ok=True)
        # The API swallows what a callback raises, so this one only collects.
        result = stack.preview(refresh=True, plan=str(file), on_event=events.append, color="never")
        file.chmod(0o600)
    steps = read_steps(events)
    # Plain texts, whatever the API says they are.
    odd = unread(steps, {str.__str__(op): number for op, number in result.change_summary.items()})
    if odd:
        raise NeedsPerson(
            f"the engine's preview could not be read in full ({', '.join(odd)}), so nothing was done",
            remedy="use a Pulumi CLI and a Python package pulumi of about the same version",
        )
    plan = Plan(project.stack.project, project.stack.name, steps, file)
    progress.line(plan.summary)
    for step in plan.changes:
        if step.logical and not step.is_default_provider:
            progress.line(f"{step.op} {step.type} {step.name}{_why(step.diffs)}")
    return plan


def _why(diffs: tuple[str, ...]) -> str:
    return f" ({', '.join(diffs)})" if diffs else ""
