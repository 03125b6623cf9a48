"""Deliberate mistakes, made in the recorded graphs of the real stacks: each turns the right rule red."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from infra.policies import RULES, World, judge
from infra.recording import Graph, Resource, record
from infra.recording.run import record_component
from infra.recording.schema import breaches
from slipway.settings.controls.tokens import STATEFUL
from tests.infra.conftest import ROOT
from tests.infra.policy_examples import put

CANARY = "canary-6f1d0c2e9b"
Change = Callable[[Resource], Resource | None]


def made_wrong(graph: Graph, type_: str, change: Change, *, all_of_them: bool = False) -> Graph:
    """`graph` with `change` made to the first resource of this type; None takes it away."""
    resources: list[Resource] = []
    changed = False
    for each in graph:
        if each.type == type_ and (all_of_them or not changed):
            other = change(each)
            changed = changed or other is None or other != each
            if other is not None:
                resources.append(other)
        else:
            resources.append(each)
    assert changed, f"nothing of type {type_} was changed"
    return replace(graph, resources=tuple(resources))


def given(path: str, value: Any) -> Change:
    """An input set to something else."""
    return lambda resource: replace(resource, inputs=put(resource.inputs, path, value))


def parameter(name: str, value: str) -> Change:
    """A parameter of a parameter group."""

    def change(group: Resource) -> Resource:
        pairs = [
            {**each, "value": value} if each["name"] == name else each for each in group.inputs["parameters"]
        ]
        assert pairs != group.inputs["parameters"]
        return replace(group, inputs={**group.inputs, "parameters": pairs})

    return change


def statement(input_: str, **changes: Any) -> Change:
    """Its first Allow statement, changed."""

    def change(policy: Resource) -> Resource:
        document = json.loads(policy.inputs[input_])
        allowed = next(each for each in document["Statement"] if each["Effect"] == "Allow")
        allowed.update(changes)
        return replace(policy, inputs={**policy.inputs, input_: json.dumps(document)})

    return change


def opened(port: int) -> Change:
    """A security group rule that is open to the internet."""
    world = {"cidrIpv4": "0.0.0.0/0", "fromPort": port, "toPort": port}
    return lambda rule: replace(rule, inputs={**rule.inputs, **world})


def only(test: Callable[[Resource], bool], change: Change) -> Change:
    """`change`, for those of which `test` says yes."""
    return lambda resource: change(resource) if test(resource) else resource


def plain(listener: Resource) -> bool:
    return listener.inputs.get("protocol") == "HTTP"


FORWARD = [{"type": "forward", "targetGroupArn": "${aws_lb_target_group.web.arn}"}]
OTHERS_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:slipway/board/preview/app-??????"
GITHUB = "token.actions.githubusercontent.com"

MISTAKES: dict[str, tuple[str, Change, str]] = {
    "a public bucket": (
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", given("blockPublicPolicy", False),
        "bucket-shut-to-the-public",
    ),
    "a bucket without its block": (
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", lambda _: None, "bucket-shut-to-the-public",
    ),
    "a bucket policy for everyone": (
        "aws:s3/bucketPolicy:BucketPolicy",
        lambda policy: replace(policy, inputs={**policy.inputs, "policy": json.dumps(
            {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}
        )}),
        "bucket-policy-not-public",
    ),
    "force_ssl off": (
        "aws:rds/parameterGroup:ParameterGroup", parameter("rds.force_ssl", "0"), "database-force-tls",
    ),
    "a wildcard in CORS": (
        "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration", given("corsRules.0.allowedOrigins", ["*"]),
        "bucket-cors-names-origins",
    ),
    "a public database": ("aws:rds/instance:Instance", given("publiclyAccessible", True), "database-private"),
    "a database's password": ("aws:rds/instance:Instance", given("password", "hunter2"), "no-secret-inputs"),
    "an unprotected database": (
        "aws:rds/instance:Instance", lambda database: replace(database, protect=False),
        "stateful-protected",
    ),
    "a database that AWS may delete": (
        "aws:rds/instance:Instance", given("deletionProtection", False), "database-deletion-protection",
    ),
    "no last snapshot": (
        "aws:rds/instance:Instance", given("skipFinalSnapshot", True), "database-final-snapshot",
    ),
    "an open ssh port": (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        opened(22),
        "security-group-open-ports",
    ),
    "a load balancer open past Cloudflare": (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", opened(443),
        "security-group-open-ports",
    ),
    "IMDSv1": (
        "aws:ec2/launchTemplate:LaunchTemplate", given("metadataOptions.httpTokens", "optional"),
        "hosts-imdsv2",
    ),
    "a key pair": ("aws:ec2/launchTemplate:LaunchTemplate", given("keyName", "laptop"), "hosts-no-key-pair"),
    "a plain listener that forwards": (
        "aws:lb/listener:Listener", only(plain, given("defaultActions", FORWARD)),
        "listener-redirects-to-tls",
    ),
    "TLS 1.0": (
        "aws:lb/listener:Listener",
        only(lambda listener: not plain(listener), given("sslPolicy", "ELBSecurityPolicy-2016-08")),
        "listener-tls-policy",
    ),
    "an eviction policy": (
        "aws:elasticache/parameterGroup:ParameterGroup", parameter("maxmemory-policy", "allkeys-lru"),
        "redis-evicts-nothing",
    ),
    "Redis' password in the state": (
        "aws:elasticache/replicationGroup:ReplicationGroup", given("authToken", "x" * 32),
        "redis-password-never-in-state",
    ),
    "Redis without TLS": (
        "aws:elasticache/replicationGroup:ReplicationGroup", given("transitEncryptionMode", "preferred"),
        "redis-tls-required",
    ),
    "a wildcard in a role's policy": (
        "aws:iam/rolePolicy:RolePolicy", statement("policy", Action=["s3:*"], Resource=["*"]),
        "policies-without-wildcards",
    ),
    "production allowed to read preview's secret": (
        "aws:iam/rolePolicy:RolePolicy", statement("policy", Resource=[OTHERS_SECRET]),
        "policies-of-this-stack",
    ),
    "a secret shared by both stacks": (
        "aws:secretsmanager/secret:Secret", given("name", "slipway/board/app"), "names-of-this-stack",
    ),
    "GitHub trusted by pattern": (
        "aws:iam/role:Role",
        only(
            lambda role: GITHUB in str(role.inputs["assumeRolePolicy"]),
            statement("assumeRolePolicy", Condition={"StringLike": {f"{GITHUB}:sub": "repo:example/*"}}),
        ),
        "github-trusted-exactly",
    ),
    "a default security group as AWS makes it": (
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", lambda _: None, "vpc-default-group-empty",
    ),
    "any account": ("pulumi:providers:aws", given("allowedAccountIds", "[]"), "provider-one-account"),
    "an alarm that notifies no one": (
        "aws:cloudwatch/metricAlarm:MetricAlarm", given("alarmActions", []), "alarms-tell",
    ),
    "flexible TLS at Cloudflare": (
        "cloudflare:index/zoneSetting:ZoneSetting",
        only(lambda setting: setting.inputs["settingId"] == "ssl", given("value", "flexible")),
        "zone-strict-tls",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_production_turns_its_rule_red(prod: World, mistake: str) -> None:
    type_, change, rule = MISTAKES[mistake]
    several = type_ in {
        "aws:lb/listener:Listener",
        "aws:iam/role:Role",
        "cloudflare:index/zoneSetting:ZoneSetting",
    }
    wrong = made_wrong(prod.graph, type_, change, all_of_them=several)
    assert rule not in {each.control.id for each in judge(prod, RULES)}
    assert rule in {each.control.id for each in judge(replace(prod, graph=wrong), RULES)}


def test_a_secret_value_in_an_output_turns_red(prod: World) -> None:
    outputs = {**prod.graph.outputs, "password": "hunter2"}
    wrong = replace(prod.graph, outputs=outputs, secret_outputs=("password",))
    assert [each.control.id for each in judge(replace(prod, graph=wrong), RULES)] == ["no-secret-outputs"]


def test_a_wrong_nested_key_turns_red(graph: Graph) -> None:
    wrong = made_wrong(graph, "aws:lb/loadBalancer:LoadBalancer", given("accessLogs.bukket", "logs"))
    told = [each for resource in wrong for each in breaches(resource)]
    assert len(told) == 1
    assert "bukket" in told[0]
    assert "did you mean bucket?" in told[0]


def test_stacks_share_no_name_of_what_holds_secrets_or_data(graphs: dict[str, Graph]) -> None:
    assert shared(graphs["prod"], graphs["preview"]) == set()


def test_a_bucket_of_both_stacks_turns_red(graphs: dict[str, Graph]) -> None:
    builds = next(each for each in graphs["prod"].of("aws:s3/bucket:Bucket"))
    wrong = made_wrong(graphs["preview"], "aws:s3/bucket:Bucket", given("bucket", builds.inputs["bucket"]))
    assert shared(graphs["prod"], wrong) == {builds.inputs["bucket"]}


def shared(one: Graph, other: Graph) -> set[str]:
    """Physical names that both have, of what holds data, and of roles."""
    keys = ("bucket", "name", "identifier", "replicationGroupId")
    types = {*STATEFUL, "aws:iam/role:Role", "aws:kms/alias:Alias", "aws:ssm/parameter:Parameter"}
    found = [
        {
            str(each.inputs[key])
            for each in graph
            for key in keys
            if each.type in types and each.inputs.get(key)
        }
        for graph in (one, other)
    ]
    return found[0] & found[1]


def test_no_value_of_the_operators_environment_is_anywhere_in_a_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "CLOUDFLARE_API_TOKEN",
        "SLIPWAY_AGE_KEY",
        "PLATFORM_REDIS_PASSWORD",
    ):
        monkeypatch.setenv(name, CANARY)
    assert CANARY not in json.dumps(record(ROOT, "prod").as_json())


def test_a_canary_that_a_component_is_given_is_found(prod: World) -> None:
    """The real program, and beside it a component that lets a secret's value through."""

    def leak() -> dict[str, pulumi.Output[str]]:
        password = pulumi.Output.secret(CANARY)
        provider = aws.Provider("aws", region="us-east-1", allowed_account_ids=["123456789012"])
        aws.ssm.Parameter(
            "leak", type=aws.ssm.ParameterType.STRING, value="x", description=password,
            opts=pulumi.ResourceOptions(provider=provider),
        )  # fmt: skip
        return {"url": pulumi.Output.concat("postgres://app:", password, "@host/app")}

    graph = record_component(leak)
    told = {each.control.id for each in judge(replace(prod, graph=graph), RULES)}
    assert {"no-secret-inputs", "no-secret-outputs"} <= told
