"""Who can have which secret: judged by the evaluator, because the emulator matches no resource there."""

from __future__ import annotations

import pytest

from tests.infra.access.estate import REGION, VIA_SECRETS, Estate, Session

EVERY = ("app", "database", "boot/web", "boot/worker")
READS = {
    "web": {"boot/web"},
    "worker": {"boot/worker"},
    "proxy": {"database"},
    "deploy": {"app"},
}
"""By role: the secrets of its own stack that it can have. All others, none."""
ADMINISTRATOR = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def test_a_role_reads_its_own_secrets_and_no_other(own: Estate):
    can = {role: {what for what in EVERY if Session(own, role).reads_secret(what)} for role in own.roles}
    assert can == {role: READS.get(role, set()) for role in own.roles}
    assert {"web", "worker", "deploy", "preview"} <= set(own.roles)


def test_no_role_reads_another_stacks_secrets(own: Estate, other: Estate):
    for role in own.roles:
        assert [what for what in EVERY if Session(own, role).reads_secret(what, other)] == [], role


@pytest.mark.parametrize("role", ["web", "worker", "deploy", "preview"])
def test_not_even_an_administrators_policy_lets_a_role_at_another_stack(
    own: Estate, other: Estate, role: str
):
    session = Session(own, role, also=(ADMINISTRATOR,))
    for what in EVERY:
        assert session.may("secretsmanager:GetSecretValue", other.secret(what), other) == "denied"
    assert session.may("kms:Decrypt", other.key, other, context=VIA_SECRETS) == "denied"


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_host_can_change_no_secret(own: Estate, role: str):
    for what in EVERY:
        for action in ("PutSecretValue", "UpdateSecret", "DeleteSecret", "PutResourcePolicy"):
            assert Session(own, role).may(f"secretsmanager:{action}", own.secret(what)) != "allowed"


def test_the_pipeline_writes_boot_secrets_and_no_other(own: Estate):
    written = {
        what
        for what in EVERY
        if Session(own, "deploy").may("secretsmanager:PutSecretValue", own.secret(what)) == "allowed"
    }
    assert written == {"boot/web", "boot/worker"}


def test_the_key_opens_nothing_but_through_the_services_that_use_it(own: Estate):
    via_s3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    for role in ("web", "worker", "deploy"):
        session = Session(own, role)
        assert session.may("kms:Decrypt", own.key) != "allowed"
        assert session.may("kms:Decrypt", own.key, context=via_s3) == "allowed"
        assert session.may("kms:ScheduleKeyDeletion", own.key) != "allowed"
        assert session.may("kms:PutKeyPolicy", own.key) != "allowed"


def test_the_pipeline_reads_its_own_stacks_outputs_and_no_other(own: Estate, other: Estate):
    session = Session(own, "deploy", also=(ADMINISTRATOR,))
    assert Session(own, "deploy").may("ssm:GetParameter", own.outputs) == "allowed"
    assert session.may("ssm:GetParameter", other.outputs, other) == "denied"
