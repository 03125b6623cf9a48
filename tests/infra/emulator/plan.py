"""What Terraform would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True)
class Plan:
    """Of one configuration."""

    changes: list[str]
    """One a resource: `update aws_lb.edge: idle_timeout 60 -> 120`; empty if all is as it shall be."""
    values: dict[str, dict[str, Any]]
    """Arguments by address, as they would be afterwards; what only AWS knows is left out."""


def planned(told: dict[str, Any]) -> Plan:
    """From `terraform show -json`."""
    managed = [each for each in told.get("resource_changes", []) if each["mode"] == "managed"]
    return Plan(
        sorted(_told(each) for each in managed if each["change"]["actions"] != ["no-op"]),
        {each["address"]: each["change"]["after"] or {} for each in managed},
    )


def _told(resource: dict[str, Any]) -> str:
    change = resource["change"]
    what = f"{'+'.join(change['actions'])} {resource['address']}"
    if not change.get("before"):
        return what
    different = _different(change["before"], change.get("after") or {}, change.get("after_unknown"), "")
    return f"{what}: {'; '.join(different)}"


def _different(before: Any, after: Any, unknown: Any, path: str) -> list[str]:
    if unknown is True:
        return [f"{path} {before!r} -> known later"]
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        later = cast("dict[str, Any]", unknown) if isinstance(unknown, dict) else {}
        return [
            line
            for key in sorted({*old, *new})
            for line in _different(old.get(key), new.get(key), later.get(key), f"{path}.{key}".strip("."))
        ]
    return [] if before == after else [f"{path} {before!r} -> {after!r}"]
