"""Condition operators against AWS's reference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.access.conditions import UnknownOperator, hold

CONTEXT: dict[str, str | list[str]] = {
    "aws:PrincipalArn": "arn:aws:iam::123456789012:role/team/web",
    "aws:SourceIp": "203.0.113.7",
    "aws:TagKeys": ["env", "owner"],
    "aws:CurrentTime": "2026-03-01T12:00:00+00:00",
    "s3:max-keys": "50",
    "s3:prefix": "uploads/a",
    "token:sub": "repo:example/board:environment:prod",
}


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "holds"),
    [
        ("StringEquals", "token:sub", "repo:example/board:environment:prod", True),
        ("StringEquals", "token:sub", ["x", "repo:example/board:environment:prod"], True),
        ("StringEquals", "TOKEN:SUB", "repo:example/board:environment:prod", True),
        ("StringEquals", "token:sub", "repo:example/board:*", False),
        ("StringEquals", "token:sub", "REPO:example/board:environment:prod", False),
        ("StringEqualsIgnoreCase", "token:sub", "REPO:example/board:environment:prod", True),
        ("StringLike", "token:sub", "repo:example/board:*", True),
        ("StringLike", "s3:prefix", ["hosts/*", "uploads/?"], True),
        ("StringNotEquals", "s3:prefix", ["uploads/a", "b"], False),
        ("StringNotEquals", "s3:prefix", ["a", "b"], True),
        ("StringNotLike", "s3:prefix", "uploads/*", False),
        ("StringEquals", "absent", "x", False),
        ("StringNotEquals", "absent", "x", True),
        ("StringEqualsIfExists", "absent", "x", True),
        ("StringEqualsIfExists", "s3:prefix", "x", False),
        ("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::123456789012:role/*/web", True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/team/*", True),
        ("ArnLike", "aws:PrincipalArn", "arn:*:role/team/web", False),
        ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::123456789012:role/team/*", False),
        ("Bool", "aws:SecureTransport", "true", False),
        ("IpAddress", "aws:SourceIp", ["192.0.2.0/24", "203.0.113.0/24"], True),
        ("IpAddress", "aws:SourceIp", "203.0.113.8", False),
        ("NotIpAddress", "aws:SourceIp", "203.0.113.0/24", False),
        ("NumericLessThanEquals", "s3:max-keys", "50", True),
        ("NumericGreaterThan", "s3:max-keys", 50, False),
        ("DateLessThan", "aws:CurrentTime", "2026-03-02T00:00:00+00:00", True),
        ("DateGreaterThan", "aws:CurrentTime", "2026-03-02T00:00:00+00:00", False),
        ("Null", "absent", "true", True),
        ("Null", "s3:prefix", "true", False),
        ("Null", "s3:prefix", False, True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["env", "owner", "cost"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", "env", False),
        ("ForAllValues:StringEquals", "absent", "env", True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", "env", True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", "cost", False),
        ("ForAnyValue:StringEquals", "absent", "env", False),
    ],
)
def test_an_operator_holds_as_documented(operator: str, key: str, wanted: Any, holds: bool):
    assert hold({operator: {key: wanted}}, CONTEXT) is holds


def test_all_operators_and_all_keys_must_hold():
    both = {"StringLike": {"s3:prefix": "uploads/*", "token:sub": "repo:*"}, "Bool": {"x": "true"}}
    assert hold(both, {**CONTEXT, "x": "true"})
    assert not hold(both, CONTEXT)
    assert not hold(both, {**CONTEXT, "x": "true", "token:sub": "user"})


def test_a_condition_may_use_a_policy_variable():
    own = {"StringLike": {"s3:prefix": "${aws:username}/*"}}
    assert hold(own, {"s3:prefix": "ann/x", "aws:username": "ann"})
    assert not hold(own, {"s3:prefix": "ann/x", "aws:username": "*"})
    assert not hold(own, {"s3:prefix": "ann/x"})


def test_an_operator_that_aws_does_not_know_is_an_error_and_no_yes():
    with pytest.raises(UnknownOperator):
        hold({"StringMatches": {"s3:prefix": "x"}}, CONTEXT)
