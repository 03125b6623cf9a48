"""A policy rule: a control as it is checked on resources; and how a stack is judged by rules."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.policies.reading import at
from infra.recording.graph import Graph, Resource
from slipway.settings.aws import Purpose
from slipway.settings.controls import SEVERITIES, Control
from slipway.settings.controls.tokens import EVERYTHING


@dataclass(frozen=True)
class World:
    """A stack as rules see it."""

    graph: Graph
    purpose: Purpose = "production"

    def linked(self, resource: Resource, *types: str, by: str) -> list[Resource]:
        """Resources of `types` whose input `by` comes from `resource`."""
        return [
            each for each in self.graph.of(*types) if resource.urn in each.property_depends_on.get(by, ())
        ]

    def behind(self, resource: Resource, name: str, *types: str) -> list[Resource]:
        """Resources of `types` that input `name` of `resource` comes from."""
        sources = resource.property_depends_on.get(name, ())
        return [each for each in self.graph.of(*types) if each.urn in sources]


Alone = Callable[[Resource], Iterable[str]]
"""The problems of a resource, from itself alone. Pure."""
Together = Callable[[Resource, World], Iterable[str]]
"""The problems of a resource, from all resources of its stack. Pure."""


@dataclass(frozen=True)
class Rule:
    """A control with the function that finds what is wrong with one resource."""

    control: Control
    judge: Together
    whole_stack: bool
    """Does it look at more than one resource at a time?"""

    @property
    def id(self) -> str:
        return self.control.id

    def applies(self, resource: Resource, world: World) -> bool:
        """Is this resource judged by it?"""
        if self.control.production and world.purpose != "production":
            return False
        return resource.type in self.control.on or self.control.on == (EVERYTHING,)


def rule_of(control: Control, alone: Mapping[str, Alone], together: Mapping[str, Together]) -> Rule:
    """The rule of a row: by its `holds`, or by the function that is registered under its id.

    Raises KeyError if it has neither.
    """
    if control.holds is not None:
        return Rule(control, lambda resource, _: breaches(control, resource), whole_stack=False)
    if control.id in together:
        return Rule(control, together[control.id], whole_stack=True)
    judge = alone[control.id]
    return Rule(control, lambda resource, _: judge(resource), whole_stack=False)


def breaches(control: Control, resource: Resource) -> Iterable[str]:
    """What the row's own predicate finds wrong."""
    if control.holds is None or not _is_meant(control, resource.inputs):
        return
    value = at(resource.inputs, control.path)
    if value is None:
        if not control.absent:
            yield f"{control.path} is not set"
    elif not control.holds(value):
        yield f"{control.path} is {value!r}"


def _is_meant(control: Control, inputs: Mapping[str, Any]) -> bool:
    if control.when is None:
        return True
    path, test = control.when
    value = at(inputs, path)
    return value is None if test is None else test("" if value is None else value)


@dataclass(frozen=True)
class PolicyViolation:
    """One rule, broken by one resource."""

    control: Control
    urn: str
    where: str
    """`aws:s3/bucket:Bucket uploads-bucket`"""
    problem: str

    def __str__(self) -> str:
        ids = ", ".join((self.control.id, *self.control.controls))
        return f"{self.control.severity}: {self.where}: {self.problem} [{ids}]"

    def as_json(self) -> dict[str, object]:
        """For `slipway infra check --json`."""
        return {
            "rule": self.control.id,
            "controls": list(self.control.controls),
            "severity": self.control.severity,
            "says": self.control.says,
            "urn": self.urn,
            "resource": self.where,
            "problem": self.problem,
            "remedy": self.control.what_to_do,
        }


def judge(world: World, rules: Iterable[Rule]) -> list[PolicyViolation]:
    """Every violation, the most severe first."""
    found = [
        PolicyViolation(rule.control, resource.urn, resource.where, problem)
        for rule in rules
        for resource in world.graph
        if rule.applies(resource, world)
        for problem in rule.judge(resource, world)
    ]
    return sorted(
        found, key=lambda each: (SEVERITIES.index(each.control.severity), each.control.id, each.urn)
    )
