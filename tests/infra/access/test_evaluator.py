"""The evaluator against AWS's documented evaluation logic."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.access.evaluator import Caller, Request, decide

ROLE = Caller("arn:aws:iam::123456789012:role/web")
OTHER = Caller("arn:aws:iam::123456789012:role/other")
OBJECT = "arn:aws:s3:::docs/a/b.txt"
READ = Request(ROLE, "s3:GetObject", OBJECT)


def allow(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource, **more}]}


def deny(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Statement": {"Effect": "Deny", "Action": action, "Resource": resource, **more}}


def test_what_nothing_allows_is_not_allowed():
    assert decide(READ) == "not allowed"
    assert decide(READ, [allow("s3:PutObject")]) == "not allowed"
    assert decide(READ, [allow(resource="arn:aws:s3:::other/*")]) == "not allowed"


def test_an_allow_is_enough():
    assert decide(READ, [allow(resource="arn:aws:s3:::docs/a/*")]) == "allowed"


def test_a_deny_beats_every_allow_wherever_it_stands():
    assert decide(READ, [allow(), deny()]) == "denied"
    assert decide(READ, [allow()], deny(Principal="*")) == "denied"
    assert decide(READ, [deny()], allow(Principal="*")) == "denied"


def test_actions_have_no_case_and_resources_do():
    assert decide(READ, [allow("S3:getobject")]) == "allowed"
    assert decide(READ, [allow(resource="arn:aws:s3:::docs/A/*")]) == "not allowed"


@pytest.mark.parametrize(
    ("pattern", "decision"),
    [
        ("arn:aws:s3:::docs/*", "allowed"),
        ("arn:aws:s3:::docs/?/b.txt", "allowed"),
        ("arn:aws:s3:::docs/?", "not allowed"),
        ("arn:aws:s3:::doc[s]/*", "not allowed"),
        ("arn:aws:s3:::docs", "not allowed"),
    ],
)
def test_a_star_crosses_slashes_and_a_question_mark_is_one_character(pattern: str, decision: str):
    assert decide(READ, [allow(resource=pattern)]) == decision


def test_not_action_and_not_resource_are_all_others():
    other_than = {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret/*"}
    assert decide(READ, [{"Statement": [other_than]}]) == "allowed"
    assert decide(Request(ROLE, "iam:GetRole", OBJECT), [{"Statement": [other_than]}]) == "not allowed"
    secret = Request(ROLE, "s3:GetObject", "arn:aws:s3:::secret/x")
    assert decide(secret, [{"Statement": [other_than]}]) == "not allowed"


def test_a_resource_policy_of_the_same_account_is_enough_alone():
    assert decide(READ, [], allow(Principal={"AWS": ROLE.name})) == "allowed"
    assert (
        decide(Request(OTHER, "s3:GetObject", OBJECT), [], allow(Principal={"AWS": ROLE.name}))
        == "not allowed"
    )


def test_naming_the_account_only_lets_its_own_policies_decide():
    root = allow("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:root"})
    use = Request(ROLE, "kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/1")
    assert decide(use, [], root, resource_must_allow=True) == "not allowed"
    assert decide(use, [allow("kms:Decrypt")], root, resource_must_allow=True) == "allowed"


def test_a_key_without_a_policy_for_the_account_is_closed_to_its_own_policies():
    use = Request(ROLE, "kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/1")
    other = allow("kms:*", Principal={"AWS": OTHER.name})
    assert decide(use, [allow("kms:Decrypt")], other, resource_must_allow=True) == "not allowed"


def test_a_deny_with_not_principal_spares_those_it_names():
    closed = deny(NotPrincipal={"AWS": [ROLE.name]})
    assert decide(READ, [allow()], closed) == "allowed"
    assert decide(Request(OTHER, "s3:GetObject", OBJECT), [allow()], closed) == "denied"


def test_services_and_identity_providers_are_principals_of_their_own_kind():
    trust = {
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
        ]
    }
    take = Request(Caller("ec2.amazonaws.com", "Service"), "sts:AssumeRole", ROLE.name)
    assert decide(take, [], trust, resource_must_allow=True) == "allowed"
    assert (
        decide(Request(OTHER, "sts:AssumeRole", ROLE.name), [], trust, resource_must_allow=True)
        == "not allowed"
    )


def test_a_policy_variable_is_filled_from_the_request():
    own = allow("s3:PutObject", "arn:aws:s3:::docs/hosts/${aws:userid}")
    context = {"aws:userid": "AROA1:i-1"}
    write = Request(ROLE, "s3:PutObject", "arn:aws:s3:::docs/hosts/AROA1:i-1", context)
    assert decide(write, [own]) == "allowed"
    other = Request(ROLE, "s3:PutObject", "arn:aws:s3:::docs/hosts/AROA1:i-2", context)
    assert decide(other, [own]) == "not allowed"


def test_a_variable_without_a_value_makes_the_statement_fit_nothing():
    own = allow(resource="arn:aws:s3:::docs/${aws:PrincipalTag/team}/*")
    assert decide(READ, [own]) == "not allowed"
    assert decide(READ, [allow(resource="arn:aws:s3:::docs/${aws:PrincipalTag/team, 'a'}/*")]) == "allowed"


def test_a_star_in_a_variables_value_is_no_wildcard():
    own = allow(resource="arn:aws:s3:::docs/${aws:username}/*")
    request = Request(ROLE, "s3:GetObject", OBJECT, {"aws:username": "*"})
    assert decide(request, [own]) == "not allowed"


def test_an_escaped_star_stands_for_itself():
    own = allow(resource="arn:aws:s3:::docs/${*}")
    assert decide(READ, [own]) == "not allowed"
    assert decide(Request(ROLE, "s3:GetObject", "arn:aws:s3:::docs/*"), [own]) == "allowed"


def test_requests_are_over_tls_unless_said_otherwise():
    over_tls = deny(Principal="*", Condition={"Bool": {"aws:SecureTransport": False}})
    assert decide(READ, [allow()], over_tls) == "allowed"
    plain = Request(ROLE, "s3:GetObject", OBJECT, {"aws:SecureTransport": "false"})
    assert decide(plain, [allow()], over_tls) == "denied"
