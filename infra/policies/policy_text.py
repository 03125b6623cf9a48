"""Reads IAM policy documents out of inputs."""

from __future__ import annotations

import json
from typing import Any, cast


def statements(policy: Any) -> list[dict[str, Any]]:
    """The statements of a policy given as JSON text; none if it is not given or not yet known."""
    if not isinstance(policy, str):
        return []
    try:
        document: Any = json.loads(policy)
    except ValueError:
        return []
    said: Any = cast("dict[str, Any]", document).get("Statement", []) if isinstance(document, dict) else []
    return (
        [cast("dict[str, Any]", said)] if isinstance(said, dict) else list(cast("list[dict[str, Any]]", said))
    )


def words(value: Any) -> list[str]:
    """`"s3:*"` and `["s3:*"]` mean the same."""
    if value is None:
        return []
    return [str(each) for each in cast("list[Any]", value)] if isinstance(value, list) else [str(value)]


def is_open(statement: dict[str, Any]) -> bool:
    """Does it allow something to everyone, without a condition?"""
    if statement.get("Effect") != "Allow" or statement.get("Condition"):
        return False
    principal: Any = statement.get("Principal")
    if isinstance(principal, dict):
        return "*" in words(cast("dict[str, Any]", principal).get("AWS"))
    return principal == "*"
