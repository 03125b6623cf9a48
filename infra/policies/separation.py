"""No two stacks share what holds data or secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from infra.policies.identity import POLICY, ROLE_POLICY
from infra.policies.policy_text import statements, words
from infra.policies.rule import World, made, rule, world
from infra.policies.vault import SECRET
from infra.recording.graph import Resource

ALIAS = "aws:kms/alias:Alias"


def _policy(action: Any, resource: Any, **more: Any) -> World:
    said = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return world(made(ROLE_POLICY, inputs={"policy": json.dumps({"Statement": [said]})}))


def _named(type_: str, **inputs: Any) -> World:
    return world(made(type_, inputs=inputs))


@rule(
    "names-of-this-stack", SECRET, ALIAS, "aws:s3/bucket:Bucket",
    controls=("I8",), severity="critical", remedy="take names from AwsNames: they carry project and stack",
    passing=[
        _named(SECRET, name="slipway/board/example/app"),
        _named("aws:s3/bucket:Bucket", bucket="board-example-builds-1"),
    ],
    failing=[
        _named(SECRET, name="slipway/board/prod/app"),
        _named(SECRET, name="app"),
        _named("aws:s3/bucket:Bucket", bucket="board-uploads"),
        _named(ALIAS, name="alias/slipway/board/prod"),
    ],
)  # fmt: skip
def of_this_stack(resource: Resource, stack: World) -> Iterable[str]:
    """What keeps data or secrets bears the name of its stack, so that no two stacks share it."""
    name = str(resource.inputs.get("bucket") or resource.inputs.get("name") or "")
    parts = re.split(r"[/-]", name)
    owner = re.split(r"-", stack.graph.stack)
    if not any(parts[i : i + len(owner)] == owner for i in range(len(parts))):
        yield f'its name "{name}" does not carry the stack "{stack.graph.stack}"'


_ARN = "arn:aws:secretsmanager:us-east-1:1:secret:slipway"
_OTHERS = re.compile(r"secret:slipway/(?P<project>[^/\"]+)/(?P<stack>[^/\"*?]+)")


@rule(
    "policies-of-this-stack", ROLE_POLICY, POLICY,
    controls=("I8",), severity="critical", remedy="let a role at its own stack's secrets only",
    passing=[
        _policy("secretsmanager:GetSecretValue", f"{_ARN}/board/example/app"),
    ],
    failing=[
        _policy("secretsmanager:GetSecretValue", f"{_ARN}/board/prod/app"),
    ],
)  # fmt: skip
def policies_of_this_stack(policy: Resource, stack: World) -> Iterable[str]:
    """No role of a stack is let at another stack's secrets."""
    for said in statements(policy.inputs.get("policy")):
        if said.get("Effect") != "Allow":
            continue
        for resource in words(said.get("Resource")):
            found = _OTHERS.search(resource)
            if found and (found["project"], found["stack"]) != (stack.graph.project, stack.graph.stack):
                yield f"allows {', '.join(words(said.get('Action')))} on {resource}"


RULES = [of_this_stack, policies_of_this_stack]
