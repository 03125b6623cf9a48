"""The rules as policies of a pulumi-policy pack: the same judges, asked by the engine before it acts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from infra.policies.rule import Rule, World
from infra.policies.rules import RULES
from infra.recording.graph import Graph, Resource
from slipway.settings.aws import Purpose
from slipway.settings.errors import BadInput
from slipway.settings.stack_file import find_root, load_stack

_STOPS = {"critical", "high"}


def policies(purpose: Purpose | None = None) -> list[Policy]:
    """All rules. `purpose` None: that of the stack at hand, as its file says.

    What is critical or high stops the update; the rest is told.
    """
    return [_of_stack(rule, purpose) if rule.whole_stack else _of_resource(rule, purpose) for rule in RULES]


def _of_resource(rule: Rule, purpose: Purpose | None) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = _resource(args, args.provider.urn if args.provider else "")
        world = _world([resource], purpose)
        if rule.applies(resource, world):
            for problem in rule.judge(resource, world):
                report(f"{problem}: {rule.remedy}", None)

    return ResourceValidationPolicy(validate=validate, **_described(rule))


def _of_stack(rule: Rule, purpose: Purpose | None) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [_resource(each, each.provider.urn if each.provider else "") for each in args.resources]
        world = _world(resources, purpose)
        for resource in world.graph:
            if rule.applies(resource, world):
                for problem in rule.judge(resource, world):
                    report(f"{problem}: {rule.remedy}", resource.urn)

    return StackValidationPolicy(validate=validate, **_described(rule))


def _described(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.id,
        "description": rule.says,
        "enforcement_level": EnforcementLevel.MANDATORY
        if rule.severity in _STOPS
        else EnforcementLevel.ADVISORY,
        "severity": Severity(rule.severity),
        "framework": PolicyComplianceFramework("AWS Security Hub", "1.0", ", ".join(rule.controls), ""),
        "remediation_steps": rule.remedy,
        "tags": list(rule.controls),
    }


def _resource(given: ResourceValidationArgs | PolicyResource, provider: str) -> Resource:
    """As recorded. An engine gives a stack's resources with their outputs, a single one with its inputs."""
    options: Any = given.opts
    depends = given.property_dependencies if isinstance(given, PolicyResource) else {}
    return Resource(
        type=given.resource_type,
        name=given.name,
        urn=given.urn,
        inputs=dict(given.props),
        custom="::" not in given.resource_type and not given.resource_type.startswith("slipway:"),
        protect=bool(options and options.protect),
        delete_before_replace=bool(options and options.delete_before_replace),
        ignore_changes=tuple(options.ignore_changes if options else ()),
        provider=provider,
        property_depends_on={key: tuple(each.urn for each in found) for key, found in depends.items()},
    )


def _world(resources: list[Resource], purpose: Purpose | None) -> World:
    """Stack and project are in every URN: `urn:pulumi:<stack>::<project>::…`."""
    parts = resources[0].urn.split("::") if resources else ["urn:pulumi:", ""]
    stack, project = parts[0].rpartition(":")[2], parts[1]
    return World(Graph(project, stack, tuple(resources), {}), purpose or _purpose(stack))


def _purpose(stack: str) -> Purpose:
    try:
        return load_stack(find_root(Path.cwd()), stack).purpose
    except BadInput:
        return "production"  # the stricter, where the stack's file is not at hand
