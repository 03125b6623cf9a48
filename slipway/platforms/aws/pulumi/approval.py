"""An approval: one person allows one plan to destroy named resources, for a while. Signed.

Kept as `approvals/<stack>-<plan>.json` beside Pulumi.yaml: `{"approval": {…}, "signature": "…"}`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from slipway.platforms.aws.pulumi.plan import Plan
from slipway.platforms.aws.pulumi.signature import verifies
from slipway.settings.errors import BadInput

FOLDER = "approvals"


class Approval(BaseModel):
    """What was allowed, by whom, and until when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal[1] = 1
    project: str
    stack: str
    plan: str
    """Digest of the plan."""
    urns: tuple[str, ...]
    reason: str
    approved_by: str
    """The approver's name in `approvers`."""
    approved_at: datetime
    expires_at: datetime

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()


class SignedApproval(BaseModel):
    """As in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    approval: Approval
    signature: str


def path_for(root: Path, plan: Plan) -> Path:
    """Where the approval of `plan` lies."""
    return root / FOLDER / f"{plan.stack}-{plan.digest[:16]}.json"


def read_approval(path: Path) -> SignedApproval:
    """The approval in `path`. BadInput: it is no approval."""
    try:
        return SignedApproval.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise BadInput(
            f"{path} is no approval that can be read ({type(error).__name__})",
            remedy="delete it, and approve again with `slipway approve`",
        ) from None


def flaw(signed: SignedApproval, plan: Plan, allowed_signers: str, now: datetime | None = None) -> str:
    """Why this approval does not allow `plan`; empty: it does."""
    now = now or datetime.now(UTC)
    approval = signed.approval
    if (approval.project, approval.stack) != (plan.project, plan.stack):
        return f"it is for stack {approval.stack} of {approval.project}"
    if not verifies(
        approval.signed_bytes,
        signed.signature,
        signer=approval.approved_by,
        allowed_signers=allowed_signers,
    ):
        return f"it was changed, or {approval.approved_by} of the committed approvers did not sign it"
    if now >= approval.expires_at:
        return f"it expired at {approval.expires_at:%Y-%m-%d %H:%M} UTC"
    if now < approval.approved_at.replace(second=0, microsecond=0):
        return f"it begins at {approval.approved_at:%Y-%m-%d %H:%M} UTC: this machine's clock is wrong"
    if approval.plan != plan.digest:
        return "it is for another plan: what would be done has changed since"
    return ""


def approved_urns(root: Path, plan: Plan, allowed_signers: str) -> tuple[frozenset[str], list[str]]:
    """What the approvals beside Pulumi.yaml allow of `plan`; and, a line each, why others do not."""
    urns: set[str] = set()
    flaws: list[str] = []
    for path in sorted((root / FOLDER).glob(f"{plan.stack}-*.json")):
        signed = read_approval(path)
        wrong = flaw(signed, plan, allowed_signers)
        if wrong:
            flaws.append(f"{FOLDER}/{path.name}: {wrong}")
        else:
            urns.update(signed.approval.urns)
    return frozenset(urns), flaws
