"""Grammar: every string, enum and number of the recorded graph, held to AWS's own service models.

`models.py` has the calls that make each resource and botocore's shapes of them, `grammar_rows.py` what those
leave open. An input that neither knows is itself a problem: nothing is valid for want of a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from botocore.model import MapShape, Shape, StructureShape

from infra.proofs.grammar_rows import ROWS, Row
from infra.proofs.models import CALLS, WITHOUT_CALL, breaches, inside, member, member_at, plain, shapes
from infra.proofs.problem import Problem
from infra.recording.graph import Graph, Resource, references

_ROWS = {(row.on, row.path): row for row in ROWS}
_TAG_KEY, _TAG_VALUE = r"(?!aws:)[\w\s.:/=+\-@]{1,128}", r"[\w\s.:/=+\-@]{0,256}"
"""https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""
Limits = tuple[Shape | None, Row | None]


def grammar(graph: Graph) -> Iterator[Problem]:
    """Everything in `graph` that AWS would refuse for its form."""
    for resource in graph:
        if resource.custom and resource.type.startswith("aws:"):
            yield from _resource(resource)


def _resource(resource: Resource) -> Iterator[Problem]:
    if resource.type in WITHOUT_CALL:
        return
    if resource.type not in CALLS:
        yield Problem(
            "grammar", resource, "", "no call of AWS is known that makes it", "name it in models.py"
        )
        return
    for path, problem in _object(resource.type, resource.inputs, shapes(resource.type), ""):
        yield Problem("grammar", resource, path, problem, _source(resource.type, path))


def _source(token: str, path: str) -> str:
    row = _ROWS.get((token, re.sub(r"\[\d+\]", "", path)))
    return row.source if row and row.source else f"botocore: {', '.join(CALLS[token])}"


def _object(
    token: str, value: dict[str, Any], around: tuple[Shape, ...], path: str
) -> Iterator[tuple[str, str]]:
    for name, each in value.items():
        place = f"{path}.{name}" if path else name
        if name in {"tags", "tagsAll"} and isinstance(each, dict):
            yield from _tags(cast("dict[str, str]", each), place)
        else:
            yield from _value(token, each, _limits(token, name, place, around), place)


def _limits(token: str, name: str, place: str, around: tuple[Shape, ...]) -> Limits:
    row = _ROWS.get((token, re.sub(r"\[\d+\]", "", place)))
    if row and "/" in row.member and "." in row.member.split("/")[0]:
        return member_at(row.member), row
    for shape in around:
        if isinstance(shape, StructureShape):
            names = row.member.split("/") if row and row.member else [name]
            found: Shape | None = shape
            for each in names:
                found = member(cast("StructureShape", plain(found)), each) if found is not None else None
            if found is not None:
                return found, row
    return None, row


def _value(token: str, value: Any, limits: Limits, path: str) -> Iterator[tuple[str, str]]:
    shape, row = limits
    if isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            yield from _value(token, each, limits, f"{path}[{index}]")
    elif isinstance(value, dict):
        if row and row.free:
            return
        entries = cast("dict[str, Any]", value)
        kind = plain(shape) if shape is not None else None
        if isinstance(kind, MapShape):
            return
        yield from _object(token, entries, (kind,) if kind is not None else shapes(token), path)
    elif not isinstance(value, bool) and value is not None:
        yield from ((path, problem) for problem in _scalar(value, shape, row))


def _scalar(value: str | float, shape: Shape | None, row: Row | None) -> Iterator[str]:
    if isinstance(value, str) and any(references(value)):
        return
    if row is None and (shape is None or (isinstance(value, str) and not _limited(shape))):
        yield f"{value!r:.80}: neither botocore nor grammar_rows.py says what is valid"
        return
    if shape is not None:
        yield from breaches(value, inside(shape))
    if row is not None:
        yield from _by_row(value, row)


def _limited(shape: Shape) -> bool:
    return (
        bool({"enum", "pattern", "max"} & set(inside(shape).metadata)) or inside(shape).type_name != "string"
    )


def _by_row(value: str | float, row: Row) -> Iterator[str]:
    if row.form and not re.fullmatch(row.form, str(value)):
        yield f"{value!r} does not match {row.form}"
    size = len(value) if isinstance(value, str) else value
    of = "characters, " if isinstance(value, str) else ""
    if row.least is not None and size < row.least:
        yield f"{of}must be at least {row.least:g}, got {size:g}"
    if row.most is not None and size > row.most:
        yield f"{of}must be at most {row.most:g}, got {size:g}"


def _tags(tags: dict[str, str], path: str) -> Iterator[tuple[str, str]]:
    if len(tags) > 50:
        yield path, f"at most 50 tags, got {len(tags)}"
    for key, value in tags.items():
        if not re.fullmatch(_TAG_KEY, key):
            yield f"{path}.{key}", "is no valid key of a tag"
        if not any(references(value)) and not re.fullmatch(_TAG_VALUE, value):
            yield f"{path}.{key}", f"{value!r} is no valid value of a tag"
