"""Roles and their policies: who may do what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from infra.policies.entries import table
from infra.policies.policy_text import statements, words
from infra.policies.rule import World, made, rule, world
from infra.recording.graph import Resource

USER = "aws:iam/user:User"
ACCESS_KEY = "aws:iam/accessKey:AccessKey"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
POLICY = "aws:iam/policy:Policy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
GITHUB = "token.actions.githubusercontent.com"


@rule(
    "no-users", USER, ACCESS_KEY,
    controls=("IAM.2", "IAM.3", "I7"), severity="high", remedy="use roles: no key to lose, nothing to rotate",
    passing=[world(made(ROLE))], failing=[world(made(USER)), world(made(ACCESS_KEY))],
)  # fmt: skip
def no_users(_: Resource, __: World) -> Iterable[str]:
    """There are no IAM users and no access keys."""
    yield "is a long-lived credential"


def _policy(action: Any, resource: Any, **more: Any) -> World:
    said = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return world(made(ROLE_POLICY, inputs={"policy": json.dumps({"Statement": [said]})}))


_LOOKS = re.compile(r"^[a-z0-9-]+:(Describe|List|Get|BatchGet|Search|View|Lookup|Simulate)[A-Za-z*]*$")
_READS_DATA = re.compile(
    r"^(secretsmanager:(Get\*|GetSecret|BatchGet)|s3:(Get\*|GetObject)|ssm:(Get\*|GetParameter)"
    r"|kms:(Get\*|Decrypt|Encrypt|Generate|ReEncrypt)|dynamodb:|sqs:|logs:(Get|Filter|StartQuery))"
)
_WITHOUT_RESOURCES = re.compile(
    r"^(ssmmessages:[A-Za-z]+|ssm:UpdateInstanceInformation|ssm:TerminateSession|ssm:ResumeSession"
    r"|ec2messages:[A-Za-z]+|cloudwatch:PutMetricData|sts:GetCallerIdentity)$"
)
"""Actions that AWS cannot limit to a resource."""


@rule(
    "policies-without-wildcards", ROLE_POLICY, POLICY,
    controls=("IAM.1", "IAM.21", "KMS.1", "I7"), severity="high",
    remedy="name the actions, and the ARNs they are for",
    passing=[
        _policy("s3:GetObject", "arn:aws:s3:::builds/*"),
        _policy(["ec2:Describe*", "ses:Get*Configuration*", "cloudwatch:PutMetricData"], "*"),
        _policy("s3:*", "*", Effect="Deny"),
        _policy("cloudwatch:PutMetricData", "*", Condition={"StringEquals": {"cloudwatch:namespace": "x"}}),
    ],
    failing=[
        _policy("*", "arn:aws:s3:::builds/*"),
        _policy("s3:*", "arn:aws:s3:::builds/*"),
        _policy("s3:GetObject", "*"),
        _policy("secretsmanager:Get*", "*"),
        _policy("secretsmanager:GetSecretValue", ["*"]),
        _policy("s3:PutObject", "arn:aws:s3:::*"),
        _policy("kms:Decrypt", "arn:aws:kms:us-east-1:1:key/*"),
    ],
)  # fmt: skip
def without_wildcards(policy: Resource, _: World) -> Iterable[str]:
    """A role may do named things to named resources."""
    for said in statements(policy.inputs.get("policy")):
        if said.get("Effect") == "Allow":
            yield from _too_wide(said)


def _too_wide(said: dict[str, Any]) -> Iterable[str]:
    actions, resources = words(said.get("Action")), words(said.get("Resource"))
    sid = said.get("Sid", "statement")
    if "NotAction" in said or "NotResource" in said:
        yield f"{sid} allows all but what it names"
    for action in actions:
        if action == "*" or ("*" in action and (not _LOOKS.match(action) or _READS_DATA.match(action))):
            yield f"{sid} allows {action}"
    if said.get("Condition"):
        return
    for resource in resources:
        if resource == "*" or re.fullmatch(
            r"arn:aws[a-z-]*:(s3:::\*|(kms|secretsmanager):.*[:/]\*)", resource
        ):
            touching = [a for a in actions if not _WITHOUT_RESOURCES.match(a)]
            touching = [a for a in touching if not _LOOKS.match(a) or _READS_DATA.match(a)]
            if touching:
                yield f"{sid} allows {', '.join(touching)} on {resource}"


@rule(
    "no-sweeping-managed-policies", ATTACHMENT,
    controls=("IAM.1", "I7"), severity="high", remedy="write a policy of what the role needs",
    passing=[world(made(ATTACHMENT, inputs={"policyArn": "arn:aws:iam::1:policy/own"}))],
    failing=[
        world(made(ATTACHMENT, inputs={"policyArn": f"arn:aws:iam::aws:policy/{name}"}))
        for name in ("AdministratorAccess", "AmazonS3FullAccess", "AmazonSSMManagedInstanceCore")
    ],
)  # fmt: skip
def no_sweeping_policies(attachment: Resource, _: World) -> Iterable[str]:
    """No managed policy of AWS's that sweeps over the account."""
    name = str(attachment.inputs.get("policyArn", "")).rpartition("/")[2]
    if "policy" in str(attachment.inputs.get("policyArn")) and (
        name in {"AdministratorAccess", "PowerUserAccess", "AmazonSSMManagedInstanceCore"}
        or "FullAccess" in name
    ):
        yield f"attaches {name}"


def _trust(principal: Any, condition: Any) -> World:
    said = {
        "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }  # fmt: skip
    return world(made(ROLE, inputs={"assumeRolePolicy": json.dumps({"Statement": [said]})}))


_FEDERATED = {"Federated": f"arn:aws:iam::1:oidc-provider/{GITHUB}"}
_EXACT = {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": "repo:example/board:environment:prod"}


@rule(
    "github-trusted-exactly", ROLE,
    controls=("I7", "I8"), severity="critical",
    remedy="StringEquals on both sub (repository and environment) and aud",
    passing=[
        _trust(_FEDERATED, {"StringEquals": _EXACT}),
        world(made(ROLE, inputs={"assumeRolePolicy": "{}"})),
    ],
    failing=[
        _trust(_FEDERATED, {"StringLike": _EXACT}),
        _trust(_FEDERATED, {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}}),
        _trust(_FEDERATED, {"StringEquals": {**_EXACT, f"{GITHUB}:sub": "repo:example/*"}}),
        _trust({"AWS": "*"}, {}),
    ],
)  # fmt: skip
def trusted_exactly(role: Resource, _: World) -> Iterable[str]:
    """A role is taken by whom it names: of GitHub, by one environment of one repository."""
    for said in statements(role.inputs.get("assumeRolePolicy")):
        if said.get("Effect") != "Allow":
            continue
        principal: Any = said.get("Principal") or {}
        if principal == "*" or "*" in words(principal.get("AWS")):
            yield "can be taken by everyone"
        elif principal.get("Federated"):
            exact = table(table(said.get("Condition")).get("StringEquals"))
            for claim in ("sub", "aud"):
                value = words(exact.get(f"{GITHUB}:{claim}"))
                if not value or any("*" in each for each in value):
                    yield f"trusts GitHub without an exact {claim}"


RULES = [no_users, without_wildcards, no_sweeping_policies, trusted_exactly]
