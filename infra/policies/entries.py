"""Reads nested inputs: whatever is not there, or not of that shape, is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from infra.recording.graph import Resource


def entries(value: Any) -> list[dict[str, Any]]:
    """A list of objects."""
    if not isinstance(value, list | tuple):
        return []
    return [cast("dict[str, Any]", each) for each in cast("list[Any]", value) if isinstance(each, Mapping)]


def table(value: Any) -> dict[str, Any]:
    """One object."""
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}


def texts(value: Any) -> list[str]:
    """A list of texts."""
    return [str(each) for each in cast("list[Any]", value)] if isinstance(value, list | tuple) else []


def parameters(group: Resource) -> dict[str, str]:
    """Name and value of a parameter group's parameters."""
    return {str(each.get("name")): str(each.get("value")) for each in entries(group.inputs.get("parameters"))}
