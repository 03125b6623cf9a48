"""Opens a stack in the engine: is the CLI there, is its backend reached, does the stack exist."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.platforms.pulumi.failures import explain
from slipway.platforms.pulumi.plan import Plan, read_steps, unread
from slipway.progress import Progress
from slipway.settings import BadInput, NeedsPerson, Project

if TYPE_CHECKING:
    from pulumi.automation import Stack
    from pulumi.automation.events import EngineEvent


def available() -> bool:
    """Are the CLI and its Python package here?"""
    return shutil.which("pulumi") is not None and importlib.util.find_spec("pulumi") is not None


def open_stack(project: Project, progress: Progress, *, make: bool) -> Stack:
    """The project's stack; made if it is new and `make`. BadInput: no CLI, backend, passphrase or stack."""
    refuse_missing()
    from pulumi.automation import Stack  # noqa: PLC0415 - 0.4 s, and only this way needs it
    from pulumi.automation.errors import InvalidVersionError, StackNotFoundError  # noqa: PLC0415

    from slipway.platforms.pulumi.workspace import open_workspace  # noqa: PLC0415

    name = project.stack.name
    try:
        workspace = open_workspace(project, progress)
    except InvalidVersionError as error:
        raise BadInput(f"the Pulumi CLI does not fit: {error}", remedy="install a newer one") from None
    with explained(f"opening stack {name}"):
        try:
            return Stack.select(name, workspace)
        except StackNotFoundError:
            if not make:
                raise BadInput(
                    f"the engine's backend holds no stack {name} of {project.stack.project}",
                    remedy=f"`slipway up --stack {name}` makes it; or check PULUMI_BACKEND_URL",
                ) from None
        progress.line(f"stack {name} is new: made in the engine's backend")
        return Stack.create(name, workspace)


def refuse_missing() -> None:
    """BadInput, saying which, if the CLI or its Python package is missing."""
    if shutil.which("pulumi") is None:
        raise BadInput(
            "the Pulumi CLI is not on PATH",
            remedy="install it (https://www.pulumi.com/docs/install/), version 3.205 or newer",
        )
    if importlib.util.find_spec("pulumi") is None:
        raise BadInput(
            "the Python package pulumi is not installed", remedy="`uv sync --group infra` beside Pulumi.yaml"
        )


@contextmanager
def explained(doing: str, *, locks_too: bool = True) -> Generator[None]:
    """Failures of the CLI inside become slipway's: message, remedy, exit code.

    Unless `locks_too`, ConcurrentUpdateError passes, for a caller who can do something about it.
    """
    from pulumi.automation import CommandError, ConcurrentUpdateError  # noqa: PLC0415

    try:
        yield
    except CommandError as error:
        if isinstance(error, ConcurrentUpdateError) and not locks_too:
            raise
        raise explain(str(error), doing=doing) from None


def outputs_of(stack: Stack) -> dict[str, Any]:
    """The stack outputs; what the engine holds to be secret is left out, as no output of ours is."""
    return {name: output.value for name, output in stack.outputs().items() if not output.secret}


def preview(project: Project, stack: Stack, progress: Progress, file: Path) -> Plan:
    """The plan of an update, against the cloud as it is now; the engine's own record of it goes to `file`."""
    events: list[EngineEvent] = []
    with progress.phase("preview"), explained("the preview"):
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
