"""The policy rules: each is broken by its failing examples, kept by its passing ones, and by every stack."""

from __future__ import annotations

import re
from typing import Any

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

from infra.policies import ALONE, RULES, TOGETHER, Rule, World, judge
from infra.policies.pack_rules import policies
from slipway.settings.aws import Aws
from slipway.settings.controls import CONTROLS, Control
from tests.infra.policy_examples import EXAMPLES

CONTROL = re.compile(r"^([A-Z][A-Za-z0-9]+\.\d+|[IXSP]\d+)$")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_its_failing_examples_break_it(rule: Rule) -> None:
    assert EXAMPLES[rule.id].failing
    for example in EXAMPLES[rule.id].failing:
        assert judge(example, [rule]), example


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_its_passing_examples_keep_it(rule: Rule) -> None:
    assert EXAMPLES[rule.id].passing
    for example in EXAMPLES[rule.id].passing:
        assert judge(example, [rule]) == []


def test_every_example_belongs_to_a_rule() -> None:
    assert EXAMPLES.keys() == {rule.id for rule in RULES}


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_it_says_what_it_demands_why_and_what_to_do(control: Control) -> None:
    assert control.says.endswith(".")
    assert control.controls
    assert all(CONTROL.match(each) for each in control.controls), control.controls
    assert control.what_to_do or not control.on
    assert bool(control.risk) == bool(control.demands)


def test_ids_are_unique() -> None:
    assert len({each.id for each in CONTROLS}) == len(CONTROLS)


def test_a_control_is_checked_by_its_predicate_or_by_a_function_and_not_by_both() -> None:
    functions = {*ALONE, *TOGETHER}
    assert len(functions) == len(ALONE) + len(TOGETHER)
    assert functions == {each.id for each in CONTROLS if each.on and each.holds is None}


def test_every_setting_that_a_control_names_exists_and_what_it_demands_is_the_default() -> None:
    aws = Aws(account="123456789012")
    for control in CONTROLS:
        value: Any = aws
        for name in control.setting.split(".") if control.setting else ():
            value = getattr(value, name)  # raises if there is no such setting
            if value is None:
                break
        assert not control.demands or value is None or control.demands(value), control.setting


def test_production_keeps_every_rule(prod: World) -> None:
    assert [str(each) for each in judge(prod, RULES)] == []


def test_preview_keeps_every_rule(preview: World) -> None:
    assert [str(each) for each in judge(preview, RULES)] == []


FORBIDDING = {"bucket-no-public-acl", "no-users", "no-secret-versions"}
"""Rules about resources that no stack may have."""


def test_every_other_rule_judges_something_of_production(prod: World) -> None:
    idle = {rule.id for rule in RULES if not any(rule.applies(each, prod) for each in prod.graph)}
    assert idle == FORBIDDING | {"token-scoped"}


def test_a_rule_of_production_lets_preview_off() -> None:
    (rule,) = (each for each in RULES if each.id == "database-deletion-protection")
    (broken, *_) = EXAMPLES[rule.id].failing
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
