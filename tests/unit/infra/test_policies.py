"""What a host's role may do, and what not even a policy attached later could let it do."""

from __future__ import annotations

from typing import Any

import pytest

from infra.aws.iam.document import Statement, as_json, document, partition
from infra.aws.iam.host_policies import app_policy, app_role, host_policy, proxy_policy
from infra.aws.iam.release_policies import deploy_policy, preview_policy
from tests.unit.infra.estates import ACCOUNT, REGION, USER_ID, allowed, estate

OWN, OTHER = estate("prod"), estate("preview")
WEB = host_policy(OWN, "web")
HERE = {"s3:ResourceAccount": ACCOUNT}
BY_SECRETS = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
GET, PUT = "s3:GetObject", "s3:PutObject"
READ_SECRET = "secretsmanager:GetSecretValue"
_LONGEST = 10_240
"""Characters of all inline policies of a role together, without white space."""


def test_a_web_host_reads_the_boot_secret_of_its_role_and_no_other_secret():
    assert allowed(WEB, READ_SECRET, OWN.boot_secrets["web"])
    assert not allowed(WEB, READ_SECRET, OWN.boot_secrets["worker"])
    assert not allowed(WEB, READ_SECRET, OWN.app_secret)
    assert not allowed(WEB, READ_SECRET, OWN.database_secret)
    assert not allowed(WEB, READ_SECRET, OTHER.boot_secrets["web"])


def test_a_host_cannot_write_any_secret():
    assert not allowed(WEB, "secretsmanager:PutSecretValue", OWN.boot_secrets["web"])


def test_a_host_reads_builds_and_writes_only_its_own_key_there():
    assert allowed(WEB, GET, f"{OWN.builds}/builds/app.tar.zst", HERE)
    assert not allowed(WEB, PUT, f"{OWN.builds}/builds/app.tar.zst", HERE)
    assert not allowed(WEB, "s3:DeleteObject", f"{OWN.builds}/ledger/1.json", HERE)
    assert allowed(WEB, PUT, f"{OWN.builds}/hosts/{USER_ID}", HERE)
    assert not allowed(WEB, PUT, f"{OWN.builds}/hosts/AROAOTHER:i-1", HERE)


def test_who_signs_set_up_kits_is_read_by_hosts_and_written_by_neither_them_nor_ci():
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{OWN.names.setup_parameter}"
    assert allowed(WEB, "ssm:GetParameter", parameter)
    for policy in (WEB, deploy_policy(OWN), proxy_policy(OWN), app_policy(OWN)):
        for action in ("ssm:PutParameter", "ssm:DeleteParameter", "ssm:DeleteParameters"):
            assert not allowed(policy, action, parameter)


def test_ci_writes_builds_and_no_set_up_kit():
    deploy = deploy_policy(OWN)
    assert allowed(deploy, PUT, f"{OWN.builds}/layers/sha256-0.tar.zst", HERE)
    for key in ("web.json", "web-0123456789abcdef.tar.gz", "python.json", "ca.pem"):
        assert allowed(deploy, GET, f"{OWN.builds}/setup/{key}", HERE)
        assert not allowed(deploy, PUT, f"{OWN.builds}/setup/{key}", HERE)
        assert not allowed(deploy, "s3:DeleteObject", f"{OWN.builds}/setup/{key}", HERE)


def test_a_host_keeps_to_the_uploads_prefix():
    assert allowed(WEB, PUT, f"{OWN.uploads}/users/1/2", HERE)
    assert not allowed(WEB, PUT, f"{OWN.uploads}/elsewhere", HERE)
    assert not allowed(WEB, GET, f"{OWN.uploads}/elsewhere", HERE)
    assert allowed(WEB, "s3:ListBucket", OWN.uploads, {"s3:prefix": "users/1/"})
    assert not allowed(WEB, "s3:ListBucket", OWN.uploads, {"s3:prefix": ""})
    assert not allowed(WEB, "s3:ListBucket", OWN.uploads)


def test_the_key_is_used_by_way_of_services_only():
    assert allowed(WEB, "kms:Decrypt", OWN.key, BY_SECRETS)
    assert not allowed(WEB, "kms:Decrypt", OWN.key)
    assert not allowed(WEB, "kms:Decrypt", OTHER.key, BY_SECRETS)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        (READ_SECRET, OTHER.app_secret),
        ("kms:Decrypt", OTHER.key),
        (GET, f"{OTHER.uploads}/users/1/2"),
        (PUT, f"{OTHER.builds}/hosts/{USER_ID}"),
        ("ssm:GetParameter", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/slipway/board/preview/outputs"),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/board-preview-web"),
    ],
)
@pytest.mark.parametrize("policy", [WEB, host_policy(OWN, "worker"), deploy_policy(OWN), proxy_policy(OWN)])
def test_even_with_every_right_attached_other_stacks_stay_closed(
    policy: dict[str, Any], action: str, resource: str
):
    everything = Statement("Everything", ["*"], ["*"]).as_dict()
    wide = {**policy, "Statement": [*policy["Statement"], everything]}
    assert not allowed(wide, action, resource, HERE)


def test_with_every_right_attached_own_parts_stay_open():
    everything = Statement("Everything", ["*"], ["*"]).as_dict()
    wide = {**WEB, "Statement": [*WEB["Statement"], everything]}
    assert allowed(wide, READ_SECRET, OWN.app_secret)
    assert allowed(wide, "kms:Decrypt", OWN.key)
    assert not allowed(wide, PUT, f"{OWN.builds}/builds/app.tar.zst", HERE)


def test_a_stack_whose_name_begins_like_another_s_is_another_stack():
    longer = estate("prod-eu")
    assert not allowed(deploy_policy(OWN), READ_SECRET, longer.app_secret)
    assert not allowed(WEB, GET, f"{longer.builds}/builds/app.tar.zst", HERE)


def test_metrics_go_to_the_fleet_s_own_namespace():
    assert allowed(WEB, "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "slipway/board-prod"})
    assert not allowed(
        WEB, "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "slipway/board-preview"}
    )


def test_a_host_lets_its_own_group_go_on_and_no_other():
    def group(fleet: str, role: str) -> str:
        name = f"{fleet}-{role}"
        return f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:1b2c:autoScalingGroupName/{name}"

    action = "autoscaling:CompleteLifecycleAction"
    assert allowed(WEB, action, group("board-prod", "web"))
    assert not allowed(WEB, action, group("board-prod", "worker"))
    assert not allowed(WEB, action, group("board-preview", "web"))
    assert not allowed(WEB, "autoscaling:TerminateInstanceInAutoScalingGroup", group("board-prod", "web"))
    assert not allowed(WEB, "autoscaling:UpdateAutoScalingGroup", group("board-prod", "web"))


def test_without_uploads_and_mail_nothing_is_said_of_them():
    text = as_json(host_policy(estate(uploads=""), "web"))
    assert "uploads" not in text
    assert "ses:" not in text


def test_the_app_uses_uploads_and_neither_secrets_nor_builds_nor_roles():
    app = app_policy(OWN)
    assert allowed(app, PUT, f"{OWN.uploads}/users/a.png", HERE)
    assert not allowed(app, PUT, f"{OWN.uploads}/other/a.png", HERE)
    for action, resource in (
        (GET, f"{OWN.builds}/x"),
        (READ_SECRET, OWN.boot_secrets["web"]),
        (READ_SECRET, OWN.app_secret),
        ("sts:AssumeRole", app_role(OWN.names)),
        ("ssmmessages:OpenControlChannel", "*"),
    ):
        assert not allowed(app, action, resource, HERE)


def test_a_host_takes_the_apps_role_and_no_other():
    assert allowed(WEB, "sts:AssumeRole", app_role(OWN.names))
    assert not allowed(WEB, "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/board-prod-deploy")
    assert not allowed(WEB, "iam:PassRole", app_role(OWN.names))
    without = host_policy(estate(uploads=""), "web")
    assert not allowed(without, "sts:AssumeRole", app_role(OWN.names))


def test_mail_is_sent_from_the_domain_only():
    policy = host_policy(estate(mail_domain="acme.dev"), "worker")
    identity = f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/acme.dev"
    assert allowed(policy, "ses:SendEmail", identity, {"ses:FromAddress": "board@acme.dev"})
    assert not allowed(policy, "ses:SendEmail", identity, {"ses:FromAddress": "board@other.dev"})


def test_the_proxy_reads_the_database_secret_and_nothing_else():
    policy = proxy_policy(OWN)
    assert allowed(policy, READ_SECRET, OWN.database_secret)
    assert not allowed(policy, READ_SECRET, OWN.app_secret)
    assert not allowed(policy, GET, f"{OWN.builds}/x", HERE)


@pytest.mark.parametrize(
    "policy",
    [host_policy(estate(mail_domain="acme.dev"), "web"), deploy_policy(OWN), preview_policy(OWN)],
)
def test_policies_fit_into_a_role(policy: dict[str, Any]):
    assert len(as_json(policy)) <= _LONGEST


def test_a_statement_without_actions_or_with_two_kinds_of_resources_is_refused():
    with pytest.raises(ValueError, match="needs actions"):
        Statement("Nothing", [], ["*"])
    with pytest.raises(ValueError, match="exclude each other"):
        Statement("Both", ["s3:*"], ["a"], not_resources=["b"])


def test_two_statements_of_one_name_are_refused():
    with pytest.raises(ValueError, match="same sid"):
        document(Statement("A", ["s3:*"], ["*"]), Statement("A", ["kms:*"], ["*"]))


@pytest.mark.parametrize(
    ("region", "expected"),
    [("us-east-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("us-west-2", "aws")],
)
def test_every_region_has_its_partition(region: str, expected: str):
    assert partition(region) == expected
