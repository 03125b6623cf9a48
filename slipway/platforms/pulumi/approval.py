"""An approval: one person allows one plan to destroy named resources, for a while, and signs for it.

Kept as `approvals/<stack>-<plan>.json` beside Pulumi.yaml: `{"approval": {…}, "signature": "…"}`.
"""

import difflib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from slipway.platforms.pulumi.open import open_stack, preview
from slipway.platforms.pulumi.plan import Plan, judge
from slipway.progress import Progress
from slipway.secrets import ssh_signature
from slipway.settings import BadInput, NeedsPerson, Project

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
    """The content of an approval's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    approval: Approval
    signature: str


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
    name = ssh_signature.signer_of(signers, public)
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


# Who may approve: the file `approvers` beside Pulumi.yaml, in OpenSSH's format of allowed signers.
#
#     alice@example.com namespaces="slipway-approval" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…
#
# It is read from the commit, not from the folder: who wants to approve must first be let in by a review.


FILE = "approvers"


def committed_approvers(root: Path) -> str:
    """The text of the file as it is in HEAD. BadInput: there is none."""
    command = ["git", "-C", str(root), "show", f"HEAD:./{FILE}"]
    try:
        shown = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise BadInput("there is no git", remedy="install git") from None
    if shown.returncode:
        raise BadInput(
            f"no file {FILE} is committed in {root}",
            remedy=f"commit {FILE}: a line a person, with e-mail address and public ssh key (docs/engine.md)",
        )
    return shown.stdout.decode(errors="replace")


def line_for(email: str, public_key: str) -> str:
    """The line that lets a key approve."""
    return f'{email} namespaces="slipway-approval" {public_key}'


NAMESPACE = "slipway-approval"
"""What a signature is for; one made for anything else does not verify."""
KEY_FILE = "SLIPWAY_APPROVAL_KEY"


def key_file(env: Mapping[str, str] | None = None) -> Path:
    """The approver's key: SLIPWAY_APPROVAL_KEY, else `~/.config/slipway/approval_ed25519`."""
    env = os.environ if env is None else env
    if given := env.get(KEY_FILE, ""):
        return Path(given).expanduser()
    home = Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return home / "slipway" / "approval_ed25519"


def ensure_key(path: Path) -> str:
    """The public key of `path` (`ssh-ed25519 AAAA…`); a key is made there if none is.

    BadInput: SLIPWAY_APPROVAL_KEY names a file that does not exist.
    """
    public = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    if not path.exists() and not public.exists():
        if os.environ.get(KEY_FILE):
            raise BadInput(
                f"{KEY_FILE} names {path}, which does not exist", remedy="name your private ssh key"
            )
        ssh_signature.make_key(path, "slipway approvals")
    return ssh_signature.public_of(path)


def sign(content: bytes, key: Path) -> str:
    """An armored signature of `content`. BadInput: the key cannot sign."""
    return ssh_signature.sign(content, key, NAMESPACE)


def verifies(content: bytes, signature: str, *, signer: str, allowed_signers: str) -> bool:
    """Is `signature` that of `signer`, as `allowed_signers` (the text of such a file) knows them, now?"""
    return ssh_signature.verifies(
        content, signature, signer=signer, allowed_signers=allowed_signers, namespace=NAMESPACE
    )
