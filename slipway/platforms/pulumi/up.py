"""Makes a stack's resources what its program says, exactly as judged in the preview; or deletes them."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError, ConcurrentUpdateError, Stack
from pulumi.automation.events import EngineEvent

from slipway.platforms.pulumi.approval import approved_urns, committed_approvers
from slipway.platforms.pulumi.failures import is_locked, is_ours_and_dead, locked, may_break, read_locks
from slipway.platforms.pulumi.open import Interrupted, explained, open_stack, outputs_of, preview
from slipway.platforms.pulumi.plan import IDLE, Plan, Refusal, judge
from slipway.progress import Progress
from slipway.settings import BadInput, Outputs, Project


def up(project: Project, progress: Progress, *, break_lock: str = "") -> Outputs:
    """Make the stack's resources what its program says; returns the stack outputs.

    `break_lock`: the owner of a lock that a person knows to be dead (`root@ci-7:4123`).
    BadInput: CLI, backend, passphrase or credentials are missing, or the plan destroys what holds data and
    no approval counts; LeaseHeld: another update runs. Nothing was touched then. SlipwayError: a step failed.
    """
    stack = open_stack(project, progress, make=True)
    try:
        try:
            _judged_update(project, stack, progress)
        except ConcurrentUpdateError as held:
            remove_locks(stack, str(held), progress, named=break_lock)
            # Whoever held it may have got somewhere: what is judged is what is there now.
            _judged_update(project, stack, progress)
    except ConcurrentUpdateError as held:
        raise locked(str(held)) from None
    except Interrupted as interrupted:
        if interrupted.killed is not None:
            release_lock_of(stack, interrupted.killed, progress)
        raise
    with explained("reading the stack outputs"):
        return Outputs.model_validate(outputs_of(stack))


def _judged_update(project: Project, stack: Stack, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="slipway-plan-") as folder:
        plan = preview(project, stack, progress, Path(folder) / "plan.json")
        refuse_unapproved(project, plan)
        with progress.phase("update"), explained("the update", locks_too=False):
            # Held to the plan, the engine stops rather than do what was not judged.
            kept = _held_to(Path(folder) / "plan.json", stack, progress)
        if not kept:
            again = preview(project, stack, progress, Path(folder) / "again.json")
            refuse_unapproved(project, again)
            _refuse_others(plan, again)
            with progress.phase("update"), explained("the update", locks_too=False):
                stack.up(refresh=True, on_event=Show(progress), color="never")


_VIOLATES = "violates plan"


def _held_to(file: Path, stack: Stack, progress: Progress) -> bool:
    """Update, held to a plan. False: the engine says that its own steps violate the plan.

    It says so of values that it knows only while it updates, though nothing else was changed
    (https://github.com/pulumi/pulumi/issues/13765).
    """
    try:
        stack.up(refresh=True, plan=str(file), on_event=Show(progress), color="never")
    except ConcurrentUpdateError:
        raise
    except CommandError as error:
        if _VIOLATES not in str(error):
            raise
        progress.line(
            "the engine stopped: a step differs from its plan (pulumi#13765). What is left is judged"
        )
        progress.line("again, by the same rules, and then done without a plan")
        return False
    return True


def _refuse_others(plan: Plan, again: Plan) -> None:
    """BadInput if what is left touches a resource that the first plan did not, or destroys what it kept.

    A step that had begun may have another operation now: what was to be created is updated.
    """
    touched = {step.urn for step in plan.changes}
    destroyed = {step.urn for step in plan.changes if step.destroys}
    added = [step for step in again.changes if step.urn not in (destroyed if step.destroys else touched)]
    if added:
        raise BadInput(
            "the engine stopped, and what it would do now was not in the plan that was judged",
            details=[f"{step.op} {step.urn}" for step in added],
            remedy="slipway up makes and judges a new plan",
        )


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
        return "take the protection away in a separate update first, then ask for an approval"
    urns = " ".join(f"'{refusal.urn}'" for refusal in refused)
    return (
        "if that is not meant, change the program back; "
        f'if it is: slipway approve --stack {plan.stack} {urns} --reason "…"'
    )


def remove_locks(stack: Stack, message: str, progress: Progress, *, named: str = "") -> None:
    """Remove the locks in the engine's `message`. LeaseHeld: they may not be removed."""
    locks = read_locks(message)
    why = may_break(locks, named=named, is_ours_and_dead=is_ours_and_dead)
    if not why:
        raise locked(message)
    stack.cancel()
    owners = ", ".join(lock.owner for lock in locks)
    reason = "its process is dead" if why == "dead" else "as --break-lock says"
    progress.line(f"removed the lock of {owners}: {reason}")


def release_lock_of(stack: Stack, killed: int, progress: Progress) -> None:
    """Remove the lock that a killed engine left; does nothing if there is none, or it is another's."""
    message = _locked(stack)
    locks = read_locks(message)
    if locks and all(lock.pid == killed for lock in locks):
        remove_locks(stack, message, progress)
    progress.line(f"the engine was killed: the next update looks at what it had done in {stack.name}")


def _locked(stack: Stack) -> str:
    """What the engine says of the locks; empty: there are none. To hear it, one must ask to change something:
    the refresh of a resource that does not exist."""
    none = f"urn:pulumi:{stack.name}::none::none:none:None::none"
    try:
        stack.refresh(target=[none], color="never")
    except CommandError as error:
        return str(error) if is_locked(str(error)) else ""
    return ""


_COLOURS = re.compile(r"<\{%[^%]*%\}>")


class Show:
    """A callback for the engine's events; keeps its errors."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.errors: list[str] = []
        self.done = 0

    def __call__(self, event: EngineEvent) -> None:
        if (begun := event.resource_pre_event) and begun.metadata.op.value not in IDLE:
            self._progress.host(_name(begun.metadata.urn), f"{begun.metadata.op.value} …")
        if (ended := event.res_outputs_event) and ended.metadata.op.value not in IDLE:
            self.done += 1
            self._progress.host(_name(ended.metadata.urn), f"{ended.metadata.op.value} done")
        if failed := event.res_op_failed_event:
            self._progress.host(_name(failed.metadata.urn), f"{failed.metadata.op.value} failed")
        if (diagnostic := event.diagnostic_event) and not diagnostic.ephemeral:
            text = _COLOURS.sub("", diagnostic.message).strip()
            if diagnostic.severity == "error":
                self.errors.append(text)
            if text:
                self._progress.line(text)


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def destroy(project: Project, progress: Progress) -> None:
    """Delete the stack's resources. BadInput: the engine holds no such stack, or some of it is protected.

    The engine itself deletes all that is not protected, and then fails.
    """
    stack = open_stack(project, progress, make=False)
    with explained("reading the stack"):
        held: Mapping[str, Any] = stack.export_stack().deployment or {}
    if protected := [each["urn"] for each in held.get("resources", ()) if each.get("protect")]:
        raise BadInput(
            f"{len(protected)} resources are protected, so nothing was deleted",
            details=protected,
            remedy="if all of it shall go, take the protection away first: "
            f"pulumi state unprotect --all --yes --stack {project.stack.name}",
        )
    with progress.phase("destroy"), explained("the deletion"):
        stack.destroy(refresh=True, on_event=Show(progress), color="never")
