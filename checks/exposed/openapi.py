"""The routes of an OpenAPI document (2, 3.0 or 3.1), for requests that the app does not expect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from checks.exposed.routes import Route
from checks.kit.check import not_evaluated

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 6
"""A schema may refer to itself."""
Document = dict[str, Any]


def documented(folder: Path, name: str) -> list[Route]:
    """The routes of the document `name` in `folder`; none if the app names no document."""
    if not name:
        return []
    file = folder / name
    if not file.is_file():
        not_evaluated(f"there is no {file} (checks.openapi in slipway.toml)")
    return routes_of(cast("Document", json.loads(file.read_text())))


def routes_of(document: Document) -> list[Route]:
    """Every operation. What it writes nothing deletes, so its bodies cannot succeed (`Route.writes`)."""
    return list(_routes(document))


def _routes(document: Document) -> Iterator[Route]:
    base = _base(document)
    for path, operations in cast("Document", document.get("paths", {})).items():
        for method in METHODS:
            if method in operations:
                yield Route(
                    method.upper(),
                    base + re.sub(r"\{(\w+)\}", r"${\1}", path),
                    _body(document, operations[method]),
                    writes=True,
                )


def _base(document: Document) -> str:
    """What stands before every path: `basePath`, or the path of the first server."""
    servers = document.get("servers") or [{"url": document.get("basePath", "")}]
    path = re.sub(r"^[a-z]+://[^/]*", "", str(servers[0].get("url", "")))
    return path.rstrip("/") if path.startswith("/") else ""


def _body(document: Document, operation: Document) -> dict[str, object]:
    """An example of the operation's JSON body; empty if it takes none."""
    body = cast("Document", operation.get("requestBody", {}))
    content = cast("dict[str, Document]", body.get("content", {}))
    schemas = [cast("Document", each.get("schema", {})) for kind, each in content.items() if "json" in kind]
    # Version 2 has the body among the parameters.
    parameters = cast("list[Document]", operation.get("parameters", []))
    schemas += [each.get("schema", {}) for each in parameters if each.get("in") == "body"]
    schema = schemas[0] if schemas else Document()
    found = _example(document, schema, DEEPEST)
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _example(document: Document, schema: Document, depth: int) -> object:
    if reference := schema.get("$ref"):
        return _example(document, _referred(document, str(reference)), depth - 1) if depth else {}
    if "example" in schema:
        return schema["example"]
    if choices := schema.get("enum"):
        return choices[0]
    for several in ("allOf", "oneOf", "anyOf"):
        if schema.get(several):
            return _example(document, schema[several][0], depth - 1) if depth else {}
    properties = cast("Document", schema.get("properties", {}))
    if properties or schema.get("type") == "object":
        return (
            {name: _example(document, each, depth - 1) for name, each in properties.items()} if depth else {}
        )
    kinds: dict[str, object] = {"integer": 1, "number": 1.5, "boolean": True, "array": []}
    return kinds.get(str(schema.get("type")), "x")


def _referred(document: Document, reference: str) -> Document:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~"), {})
    return cast("Document", found)
