"""Reads resources' inputs: nested values, lists, parameter groups, IAM policy documents."""

import json
from collections.abc import Mapping
from typing import Any, cast

from infra.recording.graph import Resource


def at(inputs: Mapping[str, Any], path: str) -> Any:
    """The value at `accessLogs.enabled` or `rules.0.id`; None if there is none."""
    value: Any = inputs
    for key in path.split("."):
        if isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(key)
        elif isinstance(value, list | tuple) and key.isdigit():
            entries = cast("list[Any]", value)
            value = entries[int(key)] if int(key) < len(entries) else None
        else:
            return None
    return value


def entries(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; empty for anything else."""
    if not isinstance(value, list | tuple):
        return []
    return [cast("dict[str, Any]", each) for each in cast("list[Any]", value) if isinstance(each, Mapping)]


def table(value: Any) -> dict[str, Any]:
    """An object; empty for anything else."""
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}


def texts(value: Any) -> list[str]:
    """A list's entries as text; empty for anything else."""
    return [str(each) for each in cast("list[Any]", value)] if isinstance(value, list | tuple) else []


def parameters(group: Resource) -> dict[str, str]:
    """Name and value of a parameter group's parameters."""
    return {str(each.get("name")): str(each.get("value")) for each in entries(group.inputs.get("parameters"))}


def statements(policy: Any) -> list[dict[str, Any]]:
    """The statements of a policy document given as JSON text; none if it is not given or not yet known."""
    if not isinstance(policy, str):
        return []
    try:
        document: Any = json.loads(policy)
    except ValueError:
        return []
    found: Any = cast("dict[str, Any]", document).get("Statement", []) if isinstance(document, dict) else []
    if isinstance(found, dict):
        return [cast("dict[str, Any]", found)]
    return list(cast("list[dict[str, Any]]", found))


def words(value: Any) -> list[str]:
    """`"s3:*"` and `["s3:*"]` mean the same in a policy document."""
    if value is None:
        return []
    return [str(each) for each in cast("list[Any]", value)] if isinstance(value, list) else [str(value)]


def is_open(statement: dict[str, Any]) -> bool:
    """Does the statement allow something to everyone, without a condition?"""
    if statement.get("Effect") != "Allow" or statement.get("Condition"):
        return False
    principal: Any = statement.get("Principal")
    if isinstance(principal, dict):
        return "*" in words(cast("dict[str, Any]", principal).get("AWS"))
    return principal == "*"
