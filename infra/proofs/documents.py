"""Policy documents: their grammar, and that each action that they name exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from infra.policies.reading import words
from infra.proofs.models import service
from infra.proofs.problem import Problem
from infra.recording.graph import Graph, Resource

SOURCE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html"
INPUTS = ("policy", "assumeRolePolicy", "accessPolicy")

_SERVICES: dict[str, tuple[str, ...]] = {
    "elasticloadbalancing": ("elbv2",), "ses": ("sesv2", "ses"), "events": ("events",),
}  # fmt: skip
"""botocore's names of services, where they differ from the prefix of actions."""
_OWN: dict[str, str] = {
    "budgets": "ViewBudget ModifyBudget ListTagsForResource",
    "iam": "PassRole",
    "kms": "ReEncryptFrom ReEncryptTo",
    "s3": "GetAccelerateConfiguration GetBucketAcl GetEncryptionConfiguration GetLifecycleConfiguration "
    "GetObjectVersion GetReplicationConfiguration ListBucket ListBucketVersions ListAllMyBuckets "
    "PutLifecycleConfiguration GetBucketLocation DeleteObjectVersion AbortMultipartUpload",
    "ssm": "UpdateInstanceInformation",
    "ssmmessages": "CreateControlChannel CreateDataChannel OpenControlChannel OpenDataChannel",
    "logs": "ListTagsLogGroup ListTagsForResource",
    "sts": "AssumeRoleWithWebIdentity",
}
"""Actions that are not the name of a call."""
_OPERATOR = re.compile(
    r"(ForAllValues:|ForAnyValue:)?((String(Not)?(Equals(IgnoreCase)?|Like))|(Numeric|Date)(Not)?Equals"
    r"|(Numeric|Date)(Less|Greater)Than(Equals)?|Bool|BinaryEquals|(Not)?IpAddress|Arn(Not)?(Equals|Like)"
    r"|Null)(IfExists)?"
)
_ELEMENTS = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
    "Condition",
}  # fmt: skip
_RESOURCE = re.compile(
    r"\*|\$\{[^}]+\}.*|arn:(aws|aws-cn|aws-us-gov|\*):[a-z0-9-]+:[a-z0-9-]*:(\d{12}|aws|\*)?:.+"
)


def documents(graph: Graph) -> Iterator[Problem]:
    """Every problem of every policy document in `graph`."""
    for resource in graph:
        for name in INPUTS:
            text = resource.inputs.get(name)
            if resource.type.startswith("aws:") and isinstance(text, str):
                trust = name == "assumeRolePolicy"
                for problem in _document(text, resource, trust=trust):
                    yield Problem("grammar", resource, name, problem, SOURCE)


def _document(text: str, resource: Resource, *, trust: bool) -> Iterator[str]:
    try:
        document: Any = json.loads(text)
    except ValueError as error:
        yield f"is no JSON: {error}"
        return
    if not isinstance(document, dict):
        yield "is no object"
        return
    found = cast("dict[str, Any]", document)
    if found.get("Version") != "2012-10-17":
        yield f"Version is {found.get('Version')!r}: policy variables need 2012-10-17"
    of_identity = resource.type in {"aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy"}
    sids: list[str] = []
    for each in cast("list[dict[str, Any]]", found.get("Statement") or []):
        sid = str(each.get("Sid", ""))
        sids.append(sid)
        for problem in _statement(each, of_identity=of_identity, trust=trust):
            yield f"{sid}: {problem}" if sid else problem
    twice = {sid for sid in sids if sid and sids.count(sid) > 1}
    if twice:
        yield f"Sid {', '.join(sorted(twice))} is there twice"


def _statement(said: Mapping[str, Any], *, of_identity: bool, trust: bool) -> Iterator[str]:
    for name in set(said) - _ELEMENTS:
        yield f"a statement has no element {name}"
    if said.get("Effect") not in {"Allow", "Deny"}:
        yield f"Effect is {said.get('Effect')!r}"
    if not re.fullmatch(r"[A-Za-z0-9]*", str(said.get("Sid", ""))):
        yield "a Sid has letters and digits only"
    has_principal = "Principal" in said or "NotPrincipal" in said
    if has_principal == of_identity:
        yield "names a principal" if of_identity else "names no principal"
    if trust == ("Resource" in said or "NotResource" in said):
        yield "a trust policy names no resource" if trust else "names no resource"
    yield from _names(said)


def _names(said: Mapping[str, Any]) -> Iterator[str]:
    """Problems of the actions, resources and conditions that a statement names."""
    for each in (*words(said.get("Action")), *words(said.get("NotAction"))):
        if not exists(each):
            yield f"{each} is no action"
    for each in (*words(said.get("Resource")), *words(said.get("NotResource"))):
        if not _RESOURCE.fullmatch(each):
            yield f"{each} is no ARN"
    for operator, keys in cast("dict[str, dict[str, Any]]", said.get("Condition") or {}).items():
        if not _OPERATOR.fullmatch(operator):
            yield f"{operator} is no operator of conditions"
        for key in keys:
            if not re.fullmatch(r"[a-z0-9.-]+:[A-Za-z0-9:/._-]+", key):
                yield f"{key} is no key of conditions"


@cache
def exists(action: str) -> bool:
    """Is `action`, perhaps with a wildcard, an action of a service?"""
    if action == "*":
        return True
    prefix, _, name = action.partition(":")
    pattern = re.compile(re.escape(name).replace(r"\*", ".*").replace(r"\?", "."), re.IGNORECASE)
    return any(pattern.fullmatch(each) for each in _actions(prefix))


@cache
def _actions(prefix: str) -> frozenset[str]:
    own = frozenset(_OWN.get(prefix, "").split())
    found: set[str] = set()
    for name in _SERVICES.get(prefix, (prefix,)):
        try:
            found |= set(service(name).operation_names)
        except Exception:  # noqa: S112 - botocore's own error: it does not know such a service
            continue
    return own | found
