"""Brings a stack's resources in line with its program: preview, judge, then exactly what was judged."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.platforms.aws.pulumi.approval import approved_urns
from slipway.platforms.aws.pulumi.approvers import committed_approvers
from slipway.platforms.aws.pulumi.failures import locked
from slipway.platforms.aws.pulumi.judge import Refusal, judge
from slipway.platforms.aws.pulumi.open import open_stack, outputs_of, told
from slipway.platforms.aws.pulumi.plan import Plan
from slipway.platforms.aws.pulumi.preview import preview
from slipway.platforms.aws.pulumi.show import Show
from slipway.progress import Progress
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project

if TYPE_CHECKING:
    from pulumi.automation import Stack


def up(project: Project, progress: Progress, *, break_lock: str = "") -> Outputs:
    """Make the stack's resources what its program says; returns the stack outputs.

    `break_lock`: the owner of a lock that a person knows to be dead (`root@ci-7:4123`).
    BadInput: CLI, backend, passphrase or credentials are missing, or the plan destroys what holds data and
    nobody approved it; LeaseHeld: another update runs. Nothing was touched then. SlipwayError: a step failed.
    """
    stack = open_stack(project, progress, make=True)
    from pulumi.automation import ConcurrentUpdateError  # noqa: PLC0415

    from slipway.platforms.aws.pulumi.process import Interrupted  # noqa: PLC0415 - both need the package pulumi
    from slipway.platforms.aws.pulumi.unlock import break_lock as remove_lock  # noqa: PLC0415
    from slipway.platforms.aws.pulumi.unlock import release_lock_of  # noqa: PLC0415

    try:
        try:
            _judged_update(project, stack, progress)
        except ConcurrentUpdateError as held:
            remove_lock(stack, str(held), progress, named=break_lock)
            # Whoever held it may have got somewhere: what is judged is what is there now.
            _judged_update(project, stack, progress)
    except ConcurrentUpdateError as held:
        raise locked(str(held)) from None
    except Interrupted as interrupted:
        if interrupted.killed is not None:
            release_lock_of(stack, interrupted.killed, progress)
        raise
    with told("reading the stack outputs"):
        return Outputs.model_validate(outputs_of(stack))


def _judged_update(project: Project, stack: Stack, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="slipway-plan-") as folder:
        plan = preview(project, stack, progress, Path(folder) / "plan.json")
        refuse_unapproved(project, plan)
        show = Show(progress)
        with progress.phase("update"), told("the update", locks_too=False):
            # Held to the plan, the engine stops rather than do what was not judged.
            stack.up(refresh=True, plan=str(plan.file), on_event=show, color="never")


def refuse_unapproved(project: Project, plan: Plan) -> None:
    """BadInput if the plan destroys what holds data or is protected, without an approval of this plan."""
    refused = judge(plan.steps)
    flaws: list[str] = []
    if any(refusal.approvable for refusal in refused):
        urns, flaws = _approved(project, plan)
        refused = judge(plan.steps, urns)
    if refused:
        raise BadInput(
            f"the plan would destroy what cannot be made again ({len(refused)}), so nothing was done",
            details=[*(f"{refusal.what} {refusal.urn}: {refusal.why}" for refusal in refused), *flaws],
            remedy=_remedy(plan, refused),
        )


def _approved(project: Project, plan: Plan) -> tuple[frozenset[str], list[str]]:
    try:
        return approved_urns(project.root, plan, committed_approvers(project.root))
    except BadInput as none:
        return frozenset(), [f"no approval counts: {none.message}"]


def _remedy(plan: Plan, refused: list[Refusal]) -> str:
    if any(not refusal.approvable for refusal in refused):
        return "take the protection away in an update of its own first, then ask for an approval"
    urns = " ".join(f"'{refusal.urn}'" for refusal in refused)
    return (
        "if that is not meant, change the program back; "
        f'if it is: slipway approve --stack {plan.stack} {urns} --reason "…"'
    )
