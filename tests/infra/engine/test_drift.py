"""What a refresh found, how bad it is, and that no secret is told. The events are a real engine's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pulumi.automation.events import EngineEvent

from slipway.platforms.pulumi.drift import RULES, differences, differing, severity, severity_of_loss
from slipway.platforms.pulumi.plan import judge, read_steps, unread

EVENTS = Path(__file__).parent / "events"


def events(name: str) -> list[EngineEvent]:
    lines = (EVENTS / f"{name}.jsonl").read_text().splitlines()
    return [EngineEvent.from_json(json.loads(line)) for line in lines]  # pyright: ignore[reportUnknownMemberType]


def test_the_worst_comes_first() -> None:
    found = [
        (each.severity, each.name, each.path, each.was, each.found) for each in differences(events("drift"))
    ]
    assert found == [
        ("high", "data", "", "there", "gone"),
        ("high", "key", "", "[secret]", "[secret]"),
        ("medium", "note", "text", "one", "changed by hand"),
    ]


def test_a_real_preview_is_read_in_full_and_refused() -> None:
    told = events("replace")
    steps = read_steps(told)
    counted = next(event.summary_event.resource_changes for event in told if event.summary_event)
    assert unread(steps, {str.__str__(op): number for op, number in counted.items()}) == []
    assert [(refusal.what, refusal.name, refusal.approvable) for refusal in judge(steps)] == [
        ("replace", "data", False)
    ]


def test_a_dropped_event_is_noticed() -> None:
    told = [event for event in events("replace") if not (event.resource_pre_event and _is_replace(event))]
    assert unread(read_steps(told), {"replace": 1, "update": 1, "same": 2}) == ["replace"]


def _is_replace(event: EngineEvent) -> bool:
    return bool(event.resource_pre_event and event.resource_pre_event.metadata.op.value == "replace")


@pytest.mark.parametrize(
    ("token", "path", "expected"),
    [
        ("aws:ec2/securityGroup:SecurityGroup", "ingress[0].cidrBlocks[1]", "high"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "cidrIpv4", "high"),
        ("aws:s3/bucketPolicy:BucketPolicy", "policy", "high"),
        ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "blockPublicAcls", "high"),
        ("aws:rds/instance:Instance", "publiclyAccessible", "high"),
        ("aws:rds/instance:Instance", "deletionProtection", "high"),
        ("aws:rds/instance:Instance", "storageEncrypted", "high"),
        ("aws:rds/instance:Instance", "allocatedStorage", "medium"),
        ("aws:rds/instance:Instance", "tags.owner", "low"),
        ("aws:ec2/securityGroup:SecurityGroup", "tagsAll.owner", "low"),
        ("aws:lb/listener:Listener", "sslPolicy", "high"),
        ("aws:autoscaling/group:Group", "desiredCapacity", "low"),
        ("aws:autoscaling/group:Group", "maxSize", "medium"),
        ("cloudflare:index/zoneSetting:ZoneSetting", "value", "high"),
        ("pulumi-python:dynamic/slipway:Fleet", "states.web1", "high"),
    ],
)
def test_severity(token: str, path: str, expected: str) -> None:
    assert severity(token, path)[0] == expected


def test_every_rule_has_a_case_of_its_own() -> None:
    """A rule that an earlier one always beats would be no rule."""
    cases = [
        ("x", "tags.a"),
        ("pulumi-python:dynamic/slipway:Fleet", "states.web1"),
        ("aws:ec2/securityGroup:SecurityGroup", "name"),
        ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "bucket"),
        ("aws:iam/role:Role", "path"),
        ("aws:sqs/queue:Queue", "policy"),
        ("aws:rds/instance:Instance", "publiclyAccessible"),
        ("aws:ec2/route:Route", "destinationCidrBlock ipv4"),
        ("aws:rds/instance:Instance", "storageEncrypted"),
        ("aws:rds/instance:Instance", "deletionProtection"),
        ("aws:lb/listener:Listener", "port"),
        ("aws:wafv2/webAcl:WebAcl", "rules"),
        ("cloudflare:index/zoneSetting:ZoneSetting", "value"),
        ("aws:cloudtrail/trail:Trail", "enableLogging"),
        ("aws:autoscaling/group:Group", "desiredCapacity"),
    ]
    reasons = {rule.why for rule in RULES}
    assert {severity(token, path)[1] for token, path in cases} == reasons
    assert len(cases) == len(RULES)


def test_a_lost_database_is_high_and_a_lost_record_is_not() -> None:
    assert severity_of_loss("aws:rds/instance:Instance")[0] == "high"
    assert severity_of_loss("aws:ec2/securityGroup:SecurityGroup")[0] == "high"
    assert severity_of_loss("aws:ec2/eip:Eip") == ("medium", "gone")


def test_a_difference_is_told_by_its_leaf() -> None:
    old: dict[str, object] = {"rules": [{"port": 80}, {"port": 443}], "tags": {"a": "1"}, "__defaults": [1]}
    new: dict[str, object] = {
        "rules": [{"port": 80}, {"port": 22}, {"port": 23}],
        "tags": {},
        "__defaults": [],
    }
    assert differing(old, new) == [
        ("rules[1].port", "443", "22"),
        ("rules[2]", "(none)", '{"port": 23}'),
        ("tags.a", "1", "(none)"),
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("masterPassword", "hunter2-hunter2"),
        ("environment.API_TOKEN", "abc-abc-abc"),
        ("userData", "export KEY=AKIAIOSFODNN7ABCDEFG"),
        ("settings", {"clientSecret": "canary-1", "name": "x"}),
        ("settings", [{"password": "canary-1"}]),
        ("authToken", None),
    ],
)
def test_no_secret_is_told(path: str, value: object) -> None:
    top, _, below = path.partition(".")
    told = differing({top: {below: "old"} if below else "old"}, {top: {below: value} if below else value})
    shown = json.dumps(told)
    assert "[secret]" in shown
    for canary in ("hunter2", "abc-abc", "AKIA", "canary"):
        assert canary not in shown


def test_the_name_of_a_secret_is_no_secret() -> None:
    assert differing({"secretArn": "arn:a"}, {"secretArn": "arn:b"}) == [("secretArn", "arn:a", "arn:b")]


def test_long_values_are_cut() -> None:
    (told,) = differing({"policy": ""}, {"policy": "x" * 900})
    assert len(told[2]) == 80
