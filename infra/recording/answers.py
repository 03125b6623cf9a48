"""What a resource answers when it is registered: its inputs, and references in place of what AWS would make.

A reference is the text that Terraform would write, `${aws_lb.edge.arn}`. It flows through `apply`, `concat`
and `json.dumps` unharmed, so that the graph shows what depends on what.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from infra.recording.graph import Resource
from infra.recording.sdk import declared_fields, declared_outputs, resource_class, snake_case

Answer = Callable[[Resource], Mapping[str, Any]]
"""Given a resource without outputs, those of its outputs (by wire name) that shall not be the default."""

_PLAIN = (str, int, float, bool)
_NESTING = 3
_LENGTHS = {"tokens": 3}
"""By name, lists whose length is known: SES gives a domain three DKIM tokens."""


def default_answers(resource: Resource) -> dict[str, Any]:
    """Every output that the SDK says is always there and that is not given as an input.

    Lists have one entry, objects their fields, maps nothing. An optional output that is not given is left
    out: the program has to live with its absence.
    """
    cls = resource_class(resource.type)
    if cls is None or not resource.address:
        return {}
    answers: dict[str, Any] = {}
    for wire_name, (python_name, kind) in declared_outputs(cls).items():
        if wire_name not in resource.inputs:
            value = _value(kind, f"{resource.address}.{_attribute(python_name)}", _NESTING)
            if value is not None:
                answers[wire_name] = value
    return answers


def identifier(resource: Resource) -> str:
    """The physical id it is given: a reference, or for what Terraform does not know its logical name."""
    if not resource.custom:
        return ""
    return f"${{{resource.address}.id}}" if resource.address else f"{resource.name}-id"


def _attribute(python_name: str) -> str:
    return snake_case(python_name.rstrip("_"))


def _value(kind: Any, place: str, depth: int) -> Any:
    """A value of `kind` whose texts refer to `place`; None if it may be absent (of a whole output only)."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        there = [each for each in inside if each is not type(None)]
        if len(there) < len(inside) and depth == _NESTING:
            return None
        return _value(there[0], place, depth - 1)
    if kind is Any or kind in _PLAIN:
        return f"${{{place}}}"
    if origin is not None and issubclass(origin, Mapping):
        return {}
    if origin is not None and inside:
        entries = range(_LENGTHS.get(place.rpartition(".")[2], 1))
        return [] if depth < 0 else [_value(inside[0], f"tolist({place})[{at}]", depth - 1) for at in entries]
    return _object(kind, place, depth - 1)


def _object(kind: Any, place: str, depth: int) -> dict[str, Any]:
    """Terraform's AWS provider keeps single objects in lists of one."""
    if not isinstance(kind, type) or depth < 0:
        return {}
    inside = place if place.endswith("]") or place.startswith("cloudflare_") else f"{place}[0]"
    return {
        wire_name: _value(each, f"{inside}.{_attribute(python_name)}", depth)
        for wire_name, (python_name, each) in declared_fields(kind).items()
    }
