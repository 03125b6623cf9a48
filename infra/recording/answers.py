"""The outputs of a recorded resource: its inputs, and references in place of values that AWS would compute.

A reference is what Terraform would write: `${aws_lb.edge.arn}`. It passes through `apply`, `concat` and
`json.dumps` unchanged, so that the graph shows every dependency.
"""

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from infra.recording.graph import Resource
from infra.recording.sdk import declared_fields, declared_outputs, resource_class, snake_case

Answer = Callable[[Resource], Mapping[str, Any]]
"""From a resource without outputs: the outputs, by wire name, that differ from the default."""

_PLAIN = (str, int, float, bool)
_NESTING = 3
_LENGTHS = {"tokens": 3}
"""Known lengths of lists, by name: SES gives a domain three DKIM tokens."""


def default_answers(resource: Resource) -> dict[str, Any]:
    """Every required output in the SDK that is not an input.

    Lists have one entry, objects their fields, maps none. Optional outputs are left out, so the program must
    work without them.
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
    """The physical id: a reference, or the logical name of a resource that Terraform does not have."""
    if not resource.custom:
        return ""
    return f"${{{resource.address}.id}}" if resource.address else f"{resource.name}-id"


def _attribute(python_name: str) -> str:
    return snake_case(python_name.rstrip("_"))


def _value(kind: Any, place: str, depth: int) -> Any:
    """A value of `kind` whose texts refer to `place`; None for a whole output that is optional."""
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
    """An object; Terraform's AWS provider puts single objects into lists of one."""
    if not isinstance(kind, type) or depth < 0:
        return {}
    inside = place if place.endswith("]") or place.startswith("cloudflare_") else f"{place}[0]"
    return {
        wire_name: _value(each, f"{inside}.{_attribute(python_name)}", depth)
        for wire_name, (python_name, each) in declared_fields(kind).items()
    }
