"""IAM policy documents, typed: a misspelt key is a type error here, instead of a rejection by AWS."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from slipway.settings.aws_names import FLEET_TAG, AwsNames

Conditions = Mapping[str, Mapping[str, str | Sequence[str]]]
"""Operator, key, value or values: `{"StringEquals": {"aws:SourceAccount": "…"}}`."""
Principals = Mapping[Literal["AWS", "Service", "Federated"], str | Sequence[str]] | Literal["*"]


@dataclass(frozen=True)
class Statement:
    """One statement. `not_resources` in place of `resources`: everything except those.

    Trust policies have neither; only trust and resource policies have `principals`.
    """

    sid: str
    actions: Sequence[str]
    resources: Sequence[str] = ()
    not_resources: Sequence[str] = ()
    principals: Principals | None = None
    conditions: Conditions = field(default_factory=dict[str, Mapping[str, str | Sequence[str]]])
    effect: Literal["Allow", "Deny"] = "Allow"

    def __post_init__(self) -> None:
        if not self.actions:
            raise ValueError(f"{self.sid}: a statement needs actions")
        if self.resources and self.not_resources:
            raise ValueError(f"{self.sid}: resources and not_resources exclude each other")

    def as_dict(self) -> dict[str, Any]:
        """The statement as a policy's JSON has it."""
        parts: dict[str, Any] = {"Sid": self.sid, "Effect": self.effect}
        if self.principals is not None:
            parts["Principal"] = "*" if self.principals == "*" else dict(self.principals)
        parts["Action"] = list(self.actions)
        if self.resources:
            parts["Resource"] = list(self.resources)
        if self.not_resources:
            parts["NotResource"] = list(self.not_resources)
        if self.conditions:
            parts["Condition"] = {operator: dict(keys) for operator, keys in self.conditions.items()}
        return parts


def document(*statements: Statement | None) -> dict[str, Any]:
    """A policy document of those `statements` that are not None."""
    said = [statement.as_dict() for statement in statements if statement is not None]
    sids = [each["Sid"] for each in said]
    if len(set(sids)) != len(sids):
        raise ValueError(f"two statements have the same sid: {sids}")
    return {"Version": "2012-10-17", "Statement": said}


def as_json(policy: Mapping[str, Any]) -> str:
    """JSON text, the same for the same policy."""
    return json.dumps(policy, separators=(",", ":"))


def arn(names: AwsNames, service: str, resource: str) -> str:
    """`arn:aws:<service>:<the stack's region and account>:<resource>`."""
    return f"arn:{partition(names.region)}:{service}:{names.region}:{names.account}:{resource}"


def iam_arn(names: AwsNames, resource: str) -> str:
    """The same for IAM, which has no region."""
    return f"arn:{partition(names.region)}:iam::{names.account}:{resource}"


def bucket_arn(names: AwsNames, what: str) -> str:
    """ARN of the stack's bucket `what`."""
    return f"arn:{partition(names.region)}:s3:::{names.bucket(what)}"


def partition(region: str) -> str:
    """`aws`, `aws-cn` or `aws-us-gov`."""
    for prefix in ("cn", "us-gov"):
        if region.startswith(f"{prefix}-"):
            return f"aws-{prefix}"
    return "aws"


def other_fleet(names: AwsNames) -> Conditions:
    """Condition: the caller is tagged as part of another fleet. People have no such tag."""
    key = f"aws:PrincipalTag/{FLEET_TAG}"
    return {"StringNotEquals": {key: names.fleet}, "Null": {key: "false"}}
