"""Which stacks may carry previews."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from slipway.settings import Stack
from slipway.settings.stack_rules import broken_stack_rules

GOOD: dict[str, Any] = {
    "name": "previews",
    "project": "board",
    "platform": "local",
    "domain": "previews.localhost",
    "previews": True,
    "local": {"one_host": True},
}


ON_AWS: dict[str, Any] = {
    "platform": "aws",
    "domain": "previews.example.com",
    "aws": {"account": "123456789012", "hosted_zone": "Z0123456789ABCDEFGHIJ"},
}


CERTIFICATE = f"arn:aws:acm:us-east-1:123456789012:certificate/{UUID(int=0)}"


def problems(**changed: object) -> list[str]:
    return [problem for _, problem, _ in broken_stack_rules(Stack.model_validate({**GOOD, **changed}))]


def test_one_host_with_a_domain_carries_previews():
    assert problems() == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"local": {}}, "needs a stack of one host"),
        ({"domain": "localhost"}, "must have two parts or more"),
        ({"name": "prod"}, "is not for a stack in production"),
        ({"database": "external"}, "cannot make databases on an external server"),
    ],
)
def test_what_cannot_work_is_refused(changed: dict[str, object], problem: str):
    assert any(problem in each for each in problems(**changed)), problems(**changed)


def on_aws(cloudflare: dict[str, Any] | None = None, **aws: Any) -> list[str]:
    settings = {**ON_AWS, "aws": {**ON_AWS["aws"], **aws}}
    if cloudflare:
        front = {"account": "0" * 32, "zone": "1" * 32, "zone_name": "example.com"}
        settings = {**settings, "cloudflare": {**front, **cloudflare}}
        settings["aws"].pop("hosted_zone")
    given = {**GOOD, **settings}
    given.pop("local")
    return [problem for _, problem, _ in broken_stack_rules(Stack.model_validate(given))]


def test_one_host_on_aws_carries_previews():
    assert on_aws() == []
    assert on_aws(cloudflare={"edge_certificate": "advanced"}) == []


@pytest.mark.parametrize(
    ("aws", "problem"),
    [
        ({"web": {"min": 2, "max": 3}}, "must be 1 where previews are carried"),
        ({"worker": {"min": 1, "max": 2}}, "must be 0 where previews are carried"),
        ({"database": {"pooler": "rds_proxy"}}, "RDS Proxy knows one database role"),
        ({"database": {"version": "15.4"}}, "must be 16 or newer"),
        ({"hosted_zone": "", "certificate": CERTIFICATE}, "DNS record"),
    ],
)
def test_what_cannot_work_on_aws_is_refused(aws: dict[str, Any], problem: str):
    assert any(problem in each for each in on_aws(**aws)), on_aws(**aws)


@pytest.mark.parametrize(
    ("cloudflare", "problem"),
    [
        ({"edge_certificate": "advanced", "uploads": "r2"}, "R2's token is good for the uploads of all"),
        ({}, "universal certificate does not cover *."),
    ],
)
def test_what_cannot_work_behind_cloudflare_is_refused(cloudflare: dict[str, Any], problem: str):
    found = on_aws(cloudflare={"manage_zone": True, **cloudflare})
    assert any(problem in each for each in found), found


def test_the_host_of_previews_has_the_processors_of_a_small_production():
    given = {**GOOD, **ON_AWS, "aws": {**ON_AWS["aws"], "size": "small"}}
    given.pop("local")
    aws = Stack.model_validate(given).aws
    assert aws and (aws.web.type, aws.web.min, aws.worker.type) == ("t4g.medium", 1, "t4g.small")
