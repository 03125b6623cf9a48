"""Approves a plan: previews it, shows what would be destroyed, and signs for it."""

import difflib
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slipway.platforms.pulumi.approval import (
    FILE,
    Approval,
    SignedApproval,
    committed_approvers,
    ensure_key,
    flaw,
    key_file,
    line_for,
    path_for,
    sign,
    signer_of,
)
from slipway.platforms.pulumi.open import open_stack, preview
from slipway.platforms.pulumi.plan import Plan, judge
from slipway.progress import Progress
from slipway.settings import BadInput, NeedsPerson, Project


def approve(
    project: Project, urns: Sequence[str], *, lasts: timedelta, reason: str, progress: Progress
) -> tuple[Path, Approval]:
    """Sign for the destruction of `urns` by the plan of this moment; returns where the approval lies.

    BadInput: a URN that the plan does not destroy or that no approval can allow, no reason, a key that is not
    among the committed approvers.
    """
    if not reason.strip():
        raise BadInput("an approval needs a reason", remedy='--reason "why it may be destroyed"')
    key = key_file()
    public = ensure_key(key)
    signers = committed_approvers(project.root)
    name = signer_of(signers, public)
    if not name:
        raise BadInput(
            f"the key {key} is not in the committed file {FILE}",
            remedy=f"have this line reviewed and committed there: {line_for('you@example.com', public)}",
        )
    stack = open_stack(project, progress, make=False)
    with tempfile.TemporaryDirectory(prefix="slipway-plan-") as folder:
        plan = preview(project, stack, progress, Path(folder) / "plan.json")
    refuse_unfit(plan, urns)
    now = datetime.now(UTC).replace(microsecond=0)
    approval = Approval(
        project=plan.project,
        stack=plan.stack,
        plan=plan.digest,
        urns=tuple(sorted(set(urns))),
        reason=reason.strip(),
        approved_by=name,
        approved_at=now,
        expires_at=now + lasts,
    )
    signed = SignedApproval(approval=approval, signature=sign(approval.signed_bytes, key))
    wrong = flaw(signed, plan, signers)
    if wrong:
        raise NeedsPerson(f"the approval does not hold: {wrong}", remedy=f"look at {FILE} and at your key")
    path = path_for(project.root, plan)
    path.parent.mkdir(exist_ok=True)
    path.write_text(signed.model_dump_json(indent=2) + "\n")
    return path, approval


def refuse_unfit(plan: Plan, urns: Sequence[str]) -> None:
    """BadInput unless every one of `urns` is destroyed by the plan and may be approved. Pure."""
    refused = {refusal.urn: refusal for refusal in judge(plan.steps)}
    if not refused:
        raise BadInput(
            "the plan destroys nothing that needs an approval", remedy=f"slipway up --stack {plan.stack}"
        )
    lines = [f"{refusal.what} {refusal.urn}: {refusal.why}" for refusal in refused.values()]
    for urn in urns:
        if urn not in refused:
            near = difflib.get_close_matches(urn, refused, n=1, cutoff=0.4)
            raise BadInput(
                f"the plan does not destroy {urn}",
                details=lines,
                remedy=f"did you mean '{near[0]}'?" if near else "name resources out of this list",
            )
        if not refused[urn].approvable:
            raise BadInput(
                f"{urn} cannot be approved: {refused[urn].why}",
                remedy="take the protection away in a separate update first",
            )
    if not urns:
        raise BadInput("name what may be destroyed, by its URN", details=lines)
