"""Who may take which role, and what no role may do."""

from __future__ import annotations

import pytest

from tests.infra.access.estate import ACCOUNT, INSTANCE, REGION, Estate, Session
from tests.infra.access.evaluator import Caller, Request, decide, statements

GITHUB = "token.actions.githubusercontent.com"
PROVIDER = Caller(f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}", "Federated")
REPOSITORY = "repo:example/board"
SERVICES = {"web": "ec2.amazonaws.com", "worker": "ec2.amazonaws.com", "proxy": "rds.amazonaws.com"}


def takes(estate: Estate, role: str, sub: str, aud: str = "sts.amazonaws.com") -> bool:
    """Does a workflow with this token get the role?"""
    token = {f"{GITHUB}:sub": sub, f"{GITHUB}:aud": aud}
    request = Request(PROVIDER, "sts:AssumeRoleWithWebIdentity", estate.role(role), token)
    return decide(request, [], estate.trust(role), resource_must_allow=True) == "allowed"


def test_only_its_own_environment_releases_a_stack(own: Estate, other: Estate):
    assert takes(own, "deploy", f"{REPOSITORY}:environment:{own.stack}")
    assert not takes(own, "deploy", f"{REPOSITORY}:environment:{other.stack}")


@pytest.mark.parametrize(
    "sub",
    [
        f"{REPOSITORY}:pull_request",
        f"{REPOSITORY}:ref:refs/heads/main",
        "repo:example/board-evil:environment:{stack}",
        "repo:evil/board:environment:{stack}",
        f"{REPOSITORY}:environment:{{stack}}-2",
        f"{REPOSITORY}:environment:*",
        "",
    ],
)
def test_no_other_workflow_releases_a_stack(own: Estate, sub: str):
    assert not takes(own, "deploy", sub.format(stack=own.stack))


def test_a_token_for_somebody_else_is_worth_nothing(own: Estate):
    sub = f"{REPOSITORY}:environment:{own.stack}"
    assert not takes(own, "deploy", sub, aud="https://github.com/example")


def test_a_pull_request_gets_only_the_role_that_looks(own: Estate):
    assert takes(own, "preview", f"{REPOSITORY}:pull_request")
    assert not takes(own, "preview", "repo:evil/board:pull_request")


def test_hosts_and_proxy_roles_are_for_their_service_alone(own: Estate):
    context = {"aws:SourceAccount": ACCOUNT}
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    for role in SERVICES.keys() & own.roles.keys():
        for service in {*SERVICES.values(), "lambda.amazonaws.com"}:
            request = Request(Caller(service, "Service"), "sts:AssumeRole", own.role(role), context)
            got = decide(request, [], own.trust(role), resource_must_allow=True)
            assert (got == "allowed") is (service == SERVICES[role])
        person = Request(Caller(own.role("deploy")), "sts:AssumeRole", own.role(role), context)
        assert decide(person, [everything], own.trust(role), resource_must_allow=True) != "allowed"


def test_no_role_takes_or_passes_on_another(own: Estate, other: Estate):
    for role in ("web", "worker", "deploy", "preview"):
        for target in (own.role("deploy"), own.role("web"), other.role("deploy")):
            assert Session(own, role).may("sts:AssumeRole", target) != "allowed"
            assert Session(own, role).may("iam:PassRole", target) != "allowed"


def test_the_apps_role_is_for_the_hosts_of_its_own_stack(own: Estate, other: Estate):
    """Without it the app has nothing: it cannot reach the credentials of its host."""
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

    def trusts(arn: str) -> bool:
        request = Request(Caller(arn), "sts:AssumeRole", own.role("app"))
        return decide(request, [everything], own.trust("app"), resource_must_allow=True) == "allowed"

    assert [role for role in own.roles if trusts(own.role(role))] == ["web", "worker"]
    assert not [role for role in other.roles if trusts(other.role(role))]
    for role in ("web", "worker"):
        assert Session(own, role).may("sts:AssumeRole", own.role("app")) == "allowed"
        assert Session(other, role).may("sts:AssumeRole", own.role("app")) != "allowed"


@pytest.mark.parametrize(
    "action",
    ["secretsmanager:GetSecretValue", "s3:GetObject", "sts:AssumeRole", "iam:PassRole", "ssm:StartSession"],
)
def test_the_app_reads_neither_secrets_nor_builds_and_takes_no_role(own: Estate, action: str):
    secrets = [own.secret(f"boot/{role}") for role in ("web", "worker")]
    for arn in ("*", *secrets, own.secret("app"), f"{own.bucket('builds')}/x", own.role("web"), own.outputs):
        assert Session(own, "app").may(action, arn) != "allowed"
    assert Session(own, "app").may("s3:GetObject", f"{own.bucket('uploads')}/users/a.png") == "allowed"


def test_nobody_has_everything_on_everything(own: Estate):
    for role in own.roles:
        for policy in own.policies(role):
            for each in statements(policy):
                if each["Effect"] == "Allow":
                    assert "NotAction" not in each and "NotResource" not in each, (role, each)
                    assert not [
                        action for action in _list(each["Action"]) if action.endswith(":*") or action == "*"
                    ]


@pytest.mark.parametrize(
    "action",
    [
        "iam:CreateUser",
        "iam:PutRolePolicy",
        "iam:AttachRolePolicy",
        "ec2:RunInstances",
        "ec2:TerminateInstances",
        "ec2:AuthorizeSecurityGroupIngress",
        "rds:DeleteDBInstance",
        "rds:ModifyDBInstance",
        "elasticache:DeleteReplicationGroup",
        "kms:ScheduleKeyDeletion",
        "s3:PutBucketPolicy",
        "s3:PutObject",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "ssm:SendCommand",
        "ssm:GetParameter",
        "cloudtrail:StopLogging",
        "logs:GetLogEvents",
        "sts:AssumeRole",
    ],
)
def test_a_pull_requests_role_changes_nothing_and_sees_no_data(own: Estate, action: str):
    for arn in ("*", own.secret("app"), f"{own.bucket('builds')}/x", own.key, own.outputs):
        assert Session(own, "preview").may(action, arn) != "allowed"


@pytest.mark.parametrize("role", ["web", "worker", "deploy"])
@pytest.mark.parametrize(
    "action",
    [
        "iam:PutRolePolicy",
        "ec2:RunInstances",
        "ec2:TerminateInstances",
        "rds:DeleteDBInstance",
        "ssm:SendCommand",
    ],
)
def test_neither_hosts_nor_the_pipeline_change_the_infrastructure(own: Estate, role: str, action: str):
    for arn in ("*", own.role("web"), f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{INSTANCE}"):
        assert Session(own, role).may(action, arn) != "allowed"


def test_the_pipeline_opens_sessions_on_its_own_stacks_hosts_only(own: Estate, other: Estate):
    deploy, host = Session(own, "deploy"), f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{INSTANCE}"
    checked = {"ssm:SessionDocumentAccessCheck": "true"}

    def may(fleet: str) -> str:
        return deploy.may(
            "ssm:StartSession", host, context={**checked, "ssm:resourceTag/slipway:fleet": fleet}
        )

    assert may(own.fleet) == "allowed"
    assert may(other.fleet) != "allowed"
    assert deploy.may("ssm:StartSession", host, context=checked) != "allowed"


def test_a_hosts_own_role_opens_no_session_anywhere(own: Estate):
    host = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{INSTANCE}"
    for role in ("web", "worker"):
        assert Session(own, role).may("ssm:StartSession", host) != "allowed"


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
