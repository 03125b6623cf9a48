"""The policy rules: each is broken by its failing examples, kept by its passing ones, and by every stack."""

from __future__ import annotations

import re

import pytest
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyCustomTimeouts,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationPolicy,
)

from infra.policies import RULES, Rule, World, judge
from infra.policies.pack_rules import policies

CONTROL = re.compile(r"^([A-Z][A-Za-z0-9]+\.\d+|[IXSP]\d+)$")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_its_failing_examples_break_it(rule: Rule) -> None:
    assert rule.failing
    for example in rule.failing:
        assert judge(example, [rule]), example


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_its_passing_examples_keep_it(rule: Rule) -> None:
    assert rule.passing
    for example in rule.passing:
        assert judge(example, [rule]) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_it_says_what_it_asks_why_and_what_to_do(rule: Rule) -> None:
    assert rule.says.endswith(".")
    assert rule.remedy
    assert rule.controls
    assert all(CONTROL.match(each) for each in rule.controls), rule.controls


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_production_keeps_every_rule(prod: World) -> None:
    assert [str(each) for each in judge(prod, RULES)] == []


def test_preview_keeps_every_rule(preview: World) -> None:
    assert [str(each) for each in judge(preview, RULES)] == []


FORBIDDING = {"bucket-no-public-acl", "no-users", "no-secret-versions"}
"""Rules about resources that no stack may have; and one about tokens, which only R2 needs."""


def test_every_other_rule_judges_something_of_production(prod: World) -> None:
    idle = {rule.id for rule in RULES if not any(rule.applies(each, prod) for each in prod.graph)}
    assert idle == FORBIDDING | {"token-scoped"}


def test_a_rule_of_production_lets_preview_off() -> None:
    (rule,) = (each for each in RULES if each.id == "database-deletion-protection")
    (broken, *_) = rule.failing
    assert judge(broken, [rule])
    assert not judge(World(broken.graph, "preview"), [rule])


def test_the_pack_registers_every_rule() -> None:
    made = policies("production")
    assert [each.name for each in made] == [rule.id for rule in RULES]
    assert all(isinstance(each, Policy) for each in made)
    assert {type(each) for each in made} == {ResourceValidationPolicy, StackValidationPolicy}


def test_the_pack_stops_an_update_by_what_is_severe() -> None:
    levels = {each.name: each.enforcement_level for each in policies("production")}
    assert levels["database-private"] is EnforcementLevel.MANDATORY
    assert levels["lb-preserves-host"] is EnforcementLevel.ADVISORY


def test_a_policy_of_the_pack_reports_what_the_rule_finds() -> None:
    told: list[str] = []
    (policy,) = (each for each in policies("production") if each.name == "database-private")
    assert isinstance(policy, ResourceValidationPolicy)
    options = PolicyResourceOptions(True, [], None, [], PolicyCustomTimeouts(0, 0, 0), [], None)
    urn = "urn:pulumi:prod::board::aws:rds/instance:Instance::database"
    args = ResourceValidationArgs(
        "aws:rds/instance:Instance", {"publiclyAccessible": True}, urn, "database", options, None
    )

    def report(message: str, urn: str | None = None) -> None:
        told.append(message)

    policy.validate(args, report)  # pyright: ignore[reportUnknownMemberType]
    assert len(told) == 1
    assert told[0].startswith("publiclyAccessible is True")
