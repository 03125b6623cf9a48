"""Rules on IAM: who may do what, and that no two stacks share what keeps data or secrets."""

import re
from collections.abc import Iterable
from typing import Any

from infra.policies.reading import statements, table, words
from infra.policies.rule import Alone, Together, World
from infra.recording.graph import Resource

GITHUB = "token.actions.githubusercontent.com"
_LOOKS = re.compile(r"^[a-z0-9-]+:(Describe|List|Get|BatchGet|Search|View|Lookup|Simulate)[A-Za-z*]*$")
_READS_DATA = re.compile(
    r"^(secretsmanager:(Get\*|GetSecret|BatchGet)|s3:(Get\*|GetObject)|ssm:(Get\*|GetParameter)"
    r"|kms:(Get\*|Decrypt|Encrypt|Generate|ReEncrypt)|dynamodb:|sqs:|logs:(Get|Filter|StartQuery))"
)
_WITHOUT_RESOURCES = re.compile(
    r"^(ssmmessages:[A-Za-z]+|ssm:UpdateInstanceInformation|ssm:TerminateSession|ssm:ResumeSession"
    r"|ec2messages:[A-Za-z]+|cloudwatch:PutMetricData|sts:GetCallerIdentity)$"
)
"""Actions that AWS cannot limit to a resource."""
_OTHERS = re.compile(r"secret:slipway/(?P<project>[^/\"]+)/(?P<stack>[^/\"*?]+)")


def no_users(_: Resource) -> Iterable[str]:
    yield "is a long-lived credential"


def without_wildcards(policy: Resource) -> Iterable[str]:
    for statement in statements(policy.inputs.get("policy")):
        if statement.get("Effect") == "Allow":
            yield from _too_wide(statement)


def _too_wide(statement: dict[str, Any]) -> Iterable[str]:
    actions, resources = words(statement.get("Action")), words(statement.get("Resource"))
    sid = statement.get("Sid", "statement")
    if "NotAction" in statement or "NotResource" in statement:
        yield f"{sid} allows everything except what it names"
    for action in actions:
        if action == "*" or ("*" in action and (not _LOOKS.match(action) or _READS_DATA.match(action))):
            yield f"{sid} allows {action}"
    if statement.get("Condition"):
        return
    for resource in resources:
        if resource == "*" or re.fullmatch(
            r"arn:aws[a-z-]*:(s3:::\*|(kms|secretsmanager):.*[:/]\*)", resource
        ):
            touching = [a for a in actions if not _WITHOUT_RESOURCES.match(a)]
            touching = [a for a in touching if not _LOOKS.match(a) or _READS_DATA.match(a)]
            if touching:
                yield f"{sid} allows {', '.join(touching)} on {resource}"


def no_sweeping_policies(attachment: Resource) -> Iterable[str]:
    name = str(attachment.inputs.get("policyArn", "")).rpartition("/")[2]
    if "policy" in str(attachment.inputs.get("policyArn")) and (
        name in {"AdministratorAccess", "PowerUserAccess", "AmazonSSMManagedInstanceCore"}
        or "FullAccess" in name
    ):
        yield f"attaches {name}"


def trusted_exactly(role: Resource) -> Iterable[str]:
    for statement in statements(role.inputs.get("assumeRolePolicy")):
        if statement.get("Effect") != "Allow":
            continue
        principal: Any = statement.get("Principal") or {}
        if principal == "*" or "*" in words(principal.get("AWS")):
            yield "can be assumed by everyone"
        elif principal.get("Federated"):
            exact = table(table(statement.get("Condition")).get("StringEquals"))
            for claim in ("sub", "aud"):
                value = words(exact.get(f"{GITHUB}:{claim}"))
                if not value or any("*" in each for each in value):
                    yield f"trusts GitHub without an exact {claim}"


def of_this_stack(resource: Resource, stack: World) -> Iterable[str]:
    name = str(resource.inputs.get("bucket") or resource.inputs.get("name") or "")
    parts = re.split(r"[/-]", name)
    owner = re.split(r"-", stack.graph.stack)
    if not any(parts[i : i + len(owner)] == owner for i in range(len(parts))):
        yield f'its name "{name}" does not contain the stack\'s name "{stack.graph.stack}"'


def policies_of_this_stack(policy: Resource, stack: World) -> Iterable[str]:
    for statement in statements(policy.inputs.get("policy")):
        if statement.get("Effect") != "Allow":
            continue
        for resource in words(statement.get("Resource")):
            found = _OTHERS.search(resource)
            if found and (found["project"], found["stack"]) != (stack.graph.project, stack.graph.stack):
                yield f"allows {', '.join(words(statement.get('Action')))} on {resource}"


ALONE: dict[str, Alone] = {
    "no-users": no_users,
    "policies-without-wildcards": without_wildcards,
    "no-sweeping-managed-policies": no_sweeping_policies,
    "github-trusted-exactly": trusted_exactly,
}
TOGETHER: dict[str, Together] = {
    "names-of-this-stack": of_this_stack,
    "policies-of-this-stack": policies_of_this_stack,
}
