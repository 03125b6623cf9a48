"""A stack's parts by their ARNs, and a reader of policies that knows what these tests need of IAM."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from infra.aws.iam.host_policies import Estate
from slipway.settings import Stack
from slipway.settings.aws_names import AwsNames

ACCOUNT, REGION = "210987654321", "eu-central-1"
USER_ID = "${aws:userid}"


def names(stack: str = "prod") -> AwsNames:
    return AwsNames(
        Stack(name=stack, project="board", platform="aws", domain="board.acme.dev"), ACCOUNT, REGION
    )


def estate(stack: str = "prod", **changes: Any) -> Estate:
    own = names(stack)
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
    whole = Estate(
        names=own,
        key=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{stack}",
        app_secret=f"{secret}{own.app_secret}-AbCdEf",
        database_secret=f"{secret}{own.database_secret}-AbCdEf",
        boot_secrets={role: f"{secret}{own.boot_secret(role)}-AbCdEf" for role in ("web", "worker")},
        builds=f"arn:aws:s3:::{own.bucket('builds')}",
        uploads=f"arn:aws:s3:::{own.bucket('uploads')}",
        uploads_prefix="users/",
    )
    return replace(whole, **changes)


def allowed(
    policy: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str] | None = None
) -> bool:
    """Does `policy` by itself allow it? A condition whose key `context` lacks fails."""
    fits = [
        each["Effect"]
        for each in policy["Statement"]
        if _fits(each, action, resource) and _holds(each.get("Condition", {}), context or {})
    ]
    return "Allow" in fits and "Deny" not in fits


def _fits(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    if not any(_like(pattern.lower(), action.lower()) for pattern in statement["Action"]):
        return False
    if "NotResource" in statement:
        return not any(_like(pattern, resource) for pattern in statement["NotResource"])
    return any(_like(pattern, resource) for pattern in statement["Resource"])


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    for operator, keys in conditions.items():
        for key, wanted in keys.items():
            patterns = [wanted] if isinstance(wanted, str) else wanted
            if operator.endswith("IfExists") and key not in context:
                continue
            if key not in context or not any(_like(pattern, context[key]) for pattern in patterns):
                return False
    return True


def _like(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None
