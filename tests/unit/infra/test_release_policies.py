"""What workflows may do by OIDC, and who may take which role."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest

from infra.aws.iam.host_policies import host_policy, proxy_policy
from infra.aws.iam.release_policies import deploy_policy, github_trust, preview_policy, service_trust
from infra.aws.iam.resource_policies import bucket_policy, key_policy, secret_policy, topic_policy
from slipway.settings.aws import GitHub
from tests.unit.infra.estates import ACCOUNT, REGION, allowed, estate, names

OWN = estate("prod")
DEPLOY, PREVIEW = deploy_policy(OWN), preview_policy(OWN)
HERE = {"s3:ResourceAccount": ACCOUNT}
INSTANCE = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1"
TAG = {"ssm:resourceTag/slipway:fleet": "board-prod", "ssm:SessionDocumentAccessCheck": "true"}


def test_a_release_reads_the_stack_s_secrets_and_writes_boot_secrets_only():
    assert allowed(DEPLOY, "secretsmanager:GetSecretValue", OWN.app_secret)
    for secret in OWN.boot_secrets.values():
        assert allowed(DEPLOY, "secretsmanager:PutSecretValue", secret)
        assert not allowed(DEPLOY, "secretsmanager:GetSecretValue", secret)
    assert not allowed(DEPLOY, "secretsmanager:UpdateSecretVersionStage", OWN.app_secret)
    assert not allowed(DEPLOY, "secretsmanager:PutSecretValue", OWN.app_secret)
    assert not allowed(DEPLOY, "secretsmanager:GetSecretValue", OWN.database_secret)


CALLED = {
    "cloudwatch:DescribeAlarms", "cloudwatch:EnableAlarmActions",
    "rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:DeleteDBSnapshot", "rds:DescribeDBSnapshots",
    "autoscaling:DescribeAutoScalingGroups", "ec2:DescribeInstances",
    "elasticloadbalancing:DescribeTargetHealth",
    "ssm:GetParameter", "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret",
    "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
    "kms:Decrypt", "kms:GenerateDataKey",
    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucket",
    "s3:GetBucketLocation",
    "ec2-instance-connect:SendSSHPublicKey", "ssm:StartSession", "ssm:TerminateSession", "ssm:ResumeSession",
    "ssmmessages:OpenDataChannel",
}  # fmt: skip
"""By slipway/platforms/aws and slipway/storage in a release, and by AWS's plugin in a session."""


def test_a_release_may_do_what_it_does_and_no_more():
    statements = [each for each in DEPLOY["Statement"] if each["Effect"] == "Allow"]
    assert {action for each in statements for action in each["Action"]} == CALLED


def test_a_release_writes_builds_and_not_uploads():
    assert allowed(DEPLOY, "s3:PutObject", f"{OWN.builds}/ledger/1.json", HERE)
    assert not allowed(DEPLOY, "s3:GetObject", f"{OWN.uploads}/users/1/2", HERE)


def test_sessions_are_to_this_fleet_and_by_ssh_only():
    assert allowed(DEPLOY, "ssm:StartSession", INSTANCE, TAG)
    other = {**TAG, "ssm:resourceTag/slipway:fleet": "board-preview"}
    assert not allowed(DEPLOY, "ssm:StartSession", INSTANCE, other)
    assert not allowed(
        DEPLOY, "ssm:StartSession", INSTANCE, {**TAG, "ssm:SessionDocumentAccessCheck": "false"}
    )
    documents = f"arn:aws:ssm:{REGION}::document/"
    assert allowed(DEPLOY, "ssm:StartSession", f"{documents}AWS-StartSSHSession")
    assert not allowed(DEPLOY, "ssm:StartSession", f"{documents}AWS-StartInteractiveCommand")
    assert not allowed(DEPLOY, "ssm:StartSession", f"{documents}AWS-StartPortForwardingSession")


def test_ssh_keys_are_pushed_to_this_fleet_s_hosts_for_one_user():
    tag = {"aws:ResourceTag/slipway:fleet": "board-prod", "ec2:osuser": "admin"}
    push = "ec2-instance-connect:SendSSHPublicKey"
    assert allowed(DEPLOY, push, INSTANCE, tag)
    assert not allowed(DEPLOY, push, INSTANCE, {**tag, "ec2:osuser": "root"})
    assert not allowed(DEPLOY, push, INSTANCE, {**tag, "aws:ResourceTag/slipway:fleet": "board-preview"})


@pytest.mark.parametrize(
    "action", ["ec2:TerminateInstances", "iam:PutRolePolicy", "rds:DeleteDBInstance", "s3:PutBucketPolicy"]
)
def test_neither_workflow_changes_infrastructure(action: str):
    assert not allowed(DEPLOY, action, "*", HERE)
    assert not allowed(PREVIEW, action, "*", HERE)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("secretsmanager:GetSecretValue", OWN.app_secret),
        ("s3:GetObject", f"{OWN.builds}/ledger/1.json"),
        ("s3:ListBucket", OWN.uploads),
        ("kms:Decrypt", OWN.key),
        ("ssm:GetParameter", "*"),
        ("logs:GetLogEvents", "*"),
        ("ssm:StartSession", INSTANCE),
    ],
)
def test_a_pull_request_sees_no_data(action: str, resource: str):
    assert not allowed(PREVIEW, action, resource, HERE)


def test_a_pull_request_sees_how_things_are_set_up():
    assert allowed(PREVIEW, "ec2:DescribeVpcs", "*")
    assert allowed(PREVIEW, "secretsmanager:DescribeSecret", OWN.app_secret)
    assert allowed(PREVIEW, "s3:GetBucketPolicy", OWN.builds)


def test_github_is_trusted_by_exact_subject_and_audience():
    (trust,) = github_trust(names(), GitHub(repository="acme/board"), "environment:prod")["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:acme/board:environment:prod",
        }
    }
    assert trust["Action"] == ["sts:AssumeRoleWithWebIdentity"]


def test_a_repository_is_trusted_by_its_numbers_as_well_and_by_nothing_else():
    github = GitHub(repository="acme/board", owner_id=12, repository_id=34)
    (trust,) = github_trust(names(), github, "environment:prod")["Statement"]
    assert trust["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] == [
        "repo:acme/board:environment:prod",
        "repo:acme@12/board@34:environment:prod",
    ]


def test_a_service_takes_its_role_for_this_account_only():
    (trust,) = service_trust(names(), "rds.amazonaws.com")["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


_NOT_OPERATIONS = {
    # Names of permissions that are not names of API calls, from the service authorization reference.
    "budgets:ViewBudget", "cloudtrail:GetTrail*", "cloudwatch:PutMetricData",
    "elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:Describe*",
    "iam:PassRole", "logs:ListTags*",
    "ssm:UpdateInstanceInformation",
    "ses:Get*Configuration*", "ec2-instance-connect:SendSSHPublicKey",
}  # fmt: skip
_CLIENTS = {
    "elasticloadbalancing": ["elbv2"], "ses": ["ses", "sesv2"],
}  # fmt: skip
_NO_CLIENT = {"s3", "ssmmessages"}


@pytest.mark.parametrize(
    "policy",
    [
        host_policy(estate(mail_domain="acme.dev"), "web"), proxy_policy(OWN), DEPLOY, PREVIEW,
        key_policy(names()), secret_policy(names(), "web"), topic_policy(names(), "arn:aws:sns:x"),
        github_trust(names(), GitHub(repository="acme/board"), "pull_request"),
    ],
)  # fmt: skip
def test_every_action_is_one_that_aws_knows(policy: dict[str, Any]):
    session = botocore.session.get_session()
    for statement in policy["Statement"]:
        for action in statement["Action"]:
            service, _, name = action.partition(":")
            if service in _NO_CLIENT or action in _NOT_OPERATIONS:
                continue
            known = [
                operation
                for client in _CLIENTS.get(service, [service])
                for operation in session.get_service_model(client).operation_names
            ]
            pattern = re.escape(name).replace(r"\*", ".*")
            assert any(re.fullmatch(pattern, operation, re.IGNORECASE) for operation in known), action


def test_logs_are_taken_from_this_account_s_load_balancers_only():
    policy = bucket_policy(names(), "logs")
    (delivery,) = [each for each in policy["Statement"] if each["Sid"] == "LoadBalancerWrites"]
    assert delivery["Principal"] == {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    assert delivery["Condition"]["ArnLike"]["aws:SourceArn"].startswith(
        f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:"
    )
    assert all(f"/AWSLogs/{ACCOUNT}/" in resource for resource in delivery["Resource"])


@pytest.mark.parametrize("what", ["builds", "uploads", "logs"])
def test_buckets_refuse_plain_connections_and_other_fleets(what: str):
    denied = {
        each["Sid"]: each for each in bucket_policy(names(), what)["Statement"] if each["Effect"] == "Deny"
    }
    assert denied["OnlyTls"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    tag = "aws:PrincipalTag/slipway:fleet"
    # Both must hold: people carry no such tag, and are not refused.
    assert denied["NotOtherFleets"]["Condition"] == {
        "StringNotEquals": {tag: "board-prod"}, "Null": {tag: "false"}
    }  # fmt: skip
    assert not [each for each in bucket_policy(names(), what)["Statement"] if each.get("Principal") == "*"]


def test_a_boot_secret_refuses_hosts_of_the_other_role():
    sids = {each["Sid"]: each for each in secret_policy(names(), "web")["Statement"]}
    assert sids["NotOtherRoles"]["Condition"]["StringNotEquals"] == {"aws:PrincipalTag/slipway:role": "web"}
    assert "NotOtherRoles" not in {each["Sid"] for each in secret_policy(names())["Statement"]}
