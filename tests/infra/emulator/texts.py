"""Recorded texts as Terraform's: references with its own attribute names, all else kept from being one."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from infra.recording.graph import Reference, references
from tests.infra.emulator.names import known
from tests.infra.emulator.unknown import Unknown

Schema = dict[str, Any]
"""Resources of `terraform providers schema -json`, by type."""
Absent = Callable[[Reference], str | None]
"""What stands in for a reference to something that is not made; None: it is made."""
_PART = re.compile(r"([a-z0-9_]+)")


def translated(text: str, schema: Schema, absent: Absent) -> str:
    """`text` for Terraform JSON. Raises Unknown for an attribute that the schema does not have."""
    if inside := _encoded(text):
        quoted = translated(inside, schema, absent).replace("\\", "\\\\").replace('"', '\\"')
        return '${base64encode("' + quoted.replace("\n", "\\n") + '")}'
    written, end = "", 0
    for found in references(text):
        start = text.index(found.text, end)
        written += _literal(text[end:start]) + (absent(found) or _reference(found, schema))
        end = start + len(found.text)
    return written + _literal(text[end:])


def _literal(text: str) -> str:
    """IAM's and the shell's `${…}` are not Terraform's."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _reference(found: Reference, schema: Schema) -> str:
    if found.type not in schema:
        raise Unknown(f"{found.text}: the provider has no resource {found.type}")
    block: Any = schema[found.type]["block"]
    attribute = ""
    for part in _PART.split(found.attribute):
        if not re.fullmatch(r"[a-z0-9_]*[a-z_][a-z0-9_]*", part or ""):
            attribute += part or ""
            continue
        name, block = _inside(block, part)
        if name is None:
            raise Unknown(f"{found.text}: {found.type} has no attribute {part}")
        attribute += name
    before = found.text[2 : found.text.index(found.type)]
    return "${" + f"{before}{found.address}.{attribute}" + "}"


def _inside(block: Any, name: str) -> tuple[str | None, Any]:
    """The attribute's name and what lies in it: a block, or an object's fields as attributes."""
    attributes, blocks = block.get("attributes", {}), block.get("block_types", {})
    found = known(name, {*attributes, *blocks})
    if found is None:
        return None, {}
    if found in blocks:
        return found, blocks[found]["block"]
    kind: Any = attributes[found]["type"]
    while kind[0] in ("list", "set"):
        kind = kind[1]
    fields: dict[str, Any] = kind[1] if kind[0] == "object" else {}
    return found, {"attributes": {each: {"type": of} for each, of in fields.items()}}


def _encoded(text: str) -> str:
    """What a base64 text holds, if that refers to resources; else nothing."""
    try:
        inside = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return inside if any(references(inside)) else ""
