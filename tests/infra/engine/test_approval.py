"""An approval counts for one plan, named resources, a while, and a committed key. Real ssh-keygen."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slipway.cli.approve import duration
from slipway.platforms.pulumi.approval import (
    Approval,
    SignedApproval,
    approved_urns,
    ensure_key,
    flaw,
    line_for,
    path_for,
    refuse_unfit,
    sign,
)
from slipway.platforms.pulumi.plan import Plan, Step
from slipway.secrets.ssh_signature import signer_of
from slipway.settings import BadInput

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen")

NOW = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
URN = "urn:pulumi:prod::board::aws:rds/instance:Instance::database"
PLAN = Plan(
    "board", "prod", (Step("replace", URN, "aws:rds/instance:Instance", id="db-1", keys=("engine",)),)
)

Make = Callable[..., SignedApproval]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    ensure_key(path)
    return path


@pytest.fixture
def signers(key: Path) -> str:
    return f"# who may\n{line_for('alice@example.com', ensure_key(key))}\n"


@pytest.fixture
def make(key: Path) -> Make:
    def make(**changes: object) -> SignedApproval:
        fields = {
            "project": "board",
            "stack": "prod",
            "plan": PLAN.digest,
            "urns": (URN,),
            "reason": "moved",
            "approved_by": "alice@example.com",
            "approved_at": NOW,
            "expires_at": NOW + timedelta(hours=2),
        }
        approval = Approval.model_validate({**fields, **changes})
        return SignedApproval(approval=approval, signature=sign(approval.signed_bytes, key))

    return make


def test_an_approval_of_this_plan_counts(make: Make, signers: str) -> None:
    assert flaw(make(), PLAN, signers, NOW) == ""
    assert flaw(make(), PLAN, signers, NOW + timedelta(minutes=119)) == ""


def test_it_expires(make: Make, signers: str) -> None:
    assert flaw(make(), PLAN, signers, NOW + timedelta(hours=2)) == "it expired at 2026-05-01 12:00 UTC"


def test_it_is_for_one_plan_only(make: Make, signers: str) -> None:
    other = Plan(
        "board", "prod", (Step("replace", URN, "aws:rds/instance:Instance", id="db-2", keys=("engine",)),)
    )
    assert "another plan" in flaw(make(), other, signers, NOW)


def test_it_is_for_one_stack_only(make: Make, signers: str) -> None:
    assert "for stack preview" in flaw(make(stack="preview"), PLAN, signers, NOW)


@pytest.mark.parametrize(
    "change",
    [{"expires_at": NOW + timedelta(days=9)}, {"urns": (URN, "urn:other")}, {"reason": "none"}],
    ids=["later", "more", "reason"],
)
def test_a_changed_one_does_not_count(make: Make, signers: str, change: dict[str, object]) -> None:
    signed = make()
    forged = signed.model_copy(update={"approval": signed.approval.model_copy(update=change)})
    assert "it was changed" in flaw(forged, PLAN, signers, NOW)


def test_a_stranger_cannot_approve(make: Make, tmp_path: Path) -> None:
    other = line_for("alice@example.com", ensure_key(tmp_path / "other"))
    assert "did not sign it" in flaw(make(), PLAN, other, NOW)


def test_nobody_signs_in_anothers_name(make: Make, signers: str, tmp_path: Path) -> None:
    both = signers + line_for("bob@example.com", ensure_key(tmp_path / "bob")) + "\n"
    assert "did not sign it" in flaw(make(approved_by="bob@example.com"), PLAN, both, NOW)


def test_a_signature_for_something_else_does_not_count(make: Make, key: Path) -> None:
    for_git = f'alice@example.com namespaces="git" {ensure_key(key)}\n'
    assert "did not sign it" in flaw(make(), PLAN, for_git, NOW)


def test_approvals_are_found_beside_the_project(make: Make, signers: str, tmp_path: Path) -> None:
    path = path_for(tmp_path, PLAN)
    path.parent.mkdir()
    now = datetime.now(UTC)
    fresh = make(approved_at=now, expires_at=now + timedelta(hours=1))
    path.write_text(fresh.model_dump_json())
    path.with_name("prod-old.json").write_text(make().model_dump_json())
    urns, flaws = approved_urns(tmp_path, PLAN, signers)
    assert urns == {URN}
    assert flaws == ["approvals/prod-old.json: it expired at 2026-05-01 12:00 UTC"]


def test_a_file_that_is_no_approval_is_named(tmp_path: Path, signers: str) -> None:
    (tmp_path / "approvals").mkdir()
    (tmp_path / "approvals/prod-x.json").write_text("{}")
    with pytest.raises(BadInput, match=r"prod-x\.json is no approval"):
        approved_urns(tmp_path, PLAN, signers)


def test_only_what_the_plan_destroys_can_be_approved() -> None:
    refuse_unfit(PLAN, [URN])
    with pytest.raises(BadInput, match="does not destroy urn:x") as unknown:
        refuse_unfit(PLAN, ["urn:x"])
    assert URN in unknown.value.details[0]
    with pytest.raises(BadInput, match="does not destroy") as near:
        refuse_unfit(PLAN, [URN[:-1]])
    assert near.value.remedy == f"did you mean '{URN}'?"
    with pytest.raises(BadInput, match="needs an approval"):
        refuse_unfit(Plan("board", "prod", ()), [URN])


@pytest.mark.parametrize("text", ["", "0h", "25h", "2d", "h", "-1h", "1.5h"])
def test_how_long_it_holds_is_bounded(text: str) -> None:
    with pytest.raises(BadInput, match="--for"):
        duration(text)


def test_minutes_and_hours() -> None:
    assert (duration("30m"), duration("24h")) == (timedelta(minutes=30), timedelta(hours=24))


def test_a_keys_owner_is_read_from_the_file(key: Path) -> None:
    public = ensure_key(key)
    text = f"# {public}\nalice@example.com,bob@example.com cert-authority {public} laptop\n"
    assert signer_of(text, public) == "alice@example.com"
    assert signer_of(text, "ssh-ed25519 AAAAother") == ""


def test_a_key_in_an_agent_signs(
    make: Make, key: Path, signers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("ssh-agent"):
        pytest.skip("no ssh-agent")
    with tempfile.TemporaryDirectory(prefix="agent-") as folder:
        socket = f"{folder}/agent"
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
        try:
            while not Path(socket).exists():
                assert agent.poll() is None
                time.sleep(0.02)
            monkeypatch.setenv("SSH_AUTH_SOCK", socket)
            subprocess.run(["ssh-add", "-q", key], check=True)
            approval = make().approval
            key.unlink()
            public = key.with_name("key.pub")
            assert ensure_key(public) in signers
            signed = SignedApproval(approval=approval, signature=sign(approval.signed_bytes, public))
            assert flaw(signed, PLAN, signers, NOW) == ""
        finally:
            agent.terminate()
            agent.wait()
