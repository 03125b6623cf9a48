"""The rules as a CrossGuard policy pack: the same functions, called by the engine before it acts."""

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

from infra.policies import RULES
from infra.policies.rule import Rule, World
from infra.recording.graph import Graph, Resource
from slipway.settings import BadInput, find_root, load_stack
from slipway.settings.aws import Purpose
from slipway.settings.controls import STOPPING


def policies(purpose: Purpose | None = None) -> list[Policy]:
    """All rules. Without `purpose`, it is read from the file of the stack that the engine works on.

    Rules of a stopping severity stop the update; the others are reported.
    """
    return [_of_stack(rule, purpose) if rule.whole_stack else _of_resource(rule, purpose) for rule in RULES]


def _of_resource(rule: Rule, purpose: Purpose | None) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = _resource(args, args.provider.urn if args.provider else "")
        world = _world([resource], purpose)
        if rule.applies(resource, world):
            for problem in rule.judge(resource, world):
                report(f"{problem}: {rule.control.what_to_do}", None)

    return ResourceValidationPolicy(validate=validate, **_described(rule))


def _of_stack(rule: Rule, purpose: Purpose | None) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [_resource(each, each.provider.urn if each.provider else "") for each in args.resources]
        world = _world(resources, purpose)
        for resource in world.graph:
            if rule.applies(resource, world):
                for problem in rule.judge(resource, world):
                    report(f"{problem}: {rule.control.what_to_do}", resource.urn)

    return StackValidationPolicy(validate=validate, **_described(rule))


def _described(rule: Rule) -> dict[str, Any]:
    control = rule.control
    stops = control.severity in STOPPING
    return {
        "name": control.id,
        "description": control.says,
        "enforcement_level": EnforcementLevel.MANDATORY if stops else EnforcementLevel.ADVISORY,
        "severity": Severity(control.severity),
        "framework": PolicyComplianceFramework("AWS Security Hub", "1.0", ", ".join(control.controls), ""),
        "remediation_steps": control.what_to_do,
        "tags": list(control.controls),
    }


def _resource(given: ResourceValidationArgs | PolicyResource, provider: str) -> Resource:
    """As the recorder has it. The engine passes outputs for a stack's resources, inputs for a single one."""
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
        return "production"  # the stricter one, if the stack has no file here
