"""May this request be made? AWS's evaluation of identity and resource policies inside one account.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
No kept library does this offline with conditions and resource policies: policyuniverse expands and reads
policies, iam-ape lists effective permissions of a principal, AWS's own simulator needs an account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from tests.infra.access.conditions import hold
from tests.infra.access.variables import Context, filled, fits

Policy = Mapping[str, Any]
"""The JSON document, parsed."""
Decision = Literal["allowed", "denied", "not allowed"]
"""`denied`: by a Deny; `not allowed`: nothing allows it."""


@dataclass(frozen=True)
class Caller:
    """Who asks: `name` is the ARN of a role (or user), a service's name, or an identity provider's ARN."""

    name: str
    kind: Literal["AWS", "Service", "Federated"] = "AWS"

    @property
    def account(self) -> str:
        """Twelve digits; empty for a service."""
        parts = self.name.split(":")
        return parts[4] if len(parts) > 5 else ""


@dataclass(frozen=True)
class Request:
    """One call of the API."""

    caller: Caller
    action: str
    """`s3:GetObject`"""
    resource: str
    """ARN, or `*` for actions that are about no resource."""
    context: Context = field(default_factory=dict[str, str])
    """Condition keys; `aws:SecureTransport` is true unless given, `aws:PrincipalArn` the caller's."""

    @property
    def full_context(self) -> Context:
        """With what every request has."""
        always = {"aws:SecureTransport": "true"}
        known = {"aws:PrincipalArn": self.caller.name, "aws:PrincipalAccount": self.caller.account}
        return always | (known if self.caller.kind == "AWS" else {}) | dict(self.context)


def decide(
    request: Request,
    identity: Sequence[Policy] = (),
    resource: Policy | None = None,
    *,
    resource_must_allow: bool = False,
) -> Decision:
    """Judge by the caller's own policies and the resource's.

    `resource_must_allow` is for KMS keys and trust policies: there the caller's own policies count only as
    far as the resource's policy names the account (`arn:aws:iam::<account>:root`).
    """
    own = [each for policy in identity for each in statements(policy) if concerns(each, request)]
    there = [each for each in statements(resource or {}) if concerns(each, request)]
    theirs = [each for each in there if names(each, request.caller)]
    if any(each["Effect"] == "Deny" for each in (*own, *theirs)):
        return "denied"
    if any(each["Effect"] == "Allow" and names(each, request.caller, itself=True) for each in theirs):
        return "allowed"
    delegated = not resource_must_allow or any(each["Effect"] == "Allow" for each in theirs)
    if delegated and any(each["Effect"] == "Allow" for each in own):
        return "allowed"
    return "not allowed"


def statements(policy: Policy) -> list[dict[str, Any]]:
    """Of a document; one alone may stand without a list."""
    found = policy.get("Statement", [])
    return cast("list[dict[str, Any]]", found) if isinstance(found, list) else [found]


def names(statement: Mapping[str, Any], caller: Caller, *, itself: bool = False) -> bool:
    """Is the caller among the statement's principals? With `itself`, naming its account is not enough.

    An account's ARN in an Allow only lets its own policies decide; in a Deny it is everybody there.
    """
    if "NotPrincipal" in statement:
        return not _among(statement["NotPrincipal"], caller, itself=False)
    return _among(statement.get("Principal", {}), caller, itself=itself)


def _among(principal: Any, caller: Caller, *, itself: bool) -> bool:
    if principal == "*":
        return True
    wanted = _list(principal.get(caller.kind, []))
    if caller.kind != "AWS":
        return caller.name in wanted
    whole = () if itself else (caller.account, f"arn:aws:iam::{caller.account}:root")
    return any(each in ("*", caller.name, *whole) for each in wanted)


def concerns(statement: Mapping[str, Any], request: Request) -> bool:
    """Is the statement about this action, this resource and such a request? Principals apart."""
    context = request.full_context
    return (
        _covers(statement, "Action", request.action, context, case=False)
        and _covers(statement, "Resource", request.resource, context, case=True)
        and hold(statement.get("Condition", {}), context)
    )


def _covers(statement: Mapping[str, Any], element: str, text: str, context: Context, *, case: bool) -> bool:
    """A trust policy has no Resource: it is about its role."""
    wanted = statement.get(element, statement.get(f"Not{element}"))
    if wanted is None:
        return element == "Resource"
    tried = (filled(each, context) for each in _list(wanted))
    found = any(each is not None and fits(each, text, case=case) for each in tried)
    return found if element in statement else not found


def _list(value: Any) -> list[str]:
    return [str(each) for each in cast("list[Any]", value)] if isinstance(value, list) else [str(value)]
