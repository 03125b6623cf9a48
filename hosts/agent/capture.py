"""`${NAME}` in smoke steps: filled from values given and from earlier answers."""

from __future__ import annotations

import json
import re

from .errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def fill(text: str, values: dict[str, str]) -> str:
    """`${NAME}` by its value; an unknown name is `bad_request`."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise AgentError("bad_request", f"${{{match[1]}}} is neither a value given nor captured so far")
        return values[match[1]]

    return re.sub(r"\$\{(\w+)\}", value, text)


def fill_body(body: object, values: dict[str, str]) -> bytes | None:
    """A request's body: text as it is, anything else as JSON, in which values are escaped as JSON strings."""
    if body is None:
        return None
    if isinstance(body, str):
        return fill(body, values).encode()
    escaped = {name: json.dumps(value)[1:-1] for name, value in values.items()}
    return fill(json.dumps(body), escaped).encode()


def capture(text: str, dotted: str) -> str | None:
    """The value at a dotted path of a JSON answer (numbers count list items from 0), or None."""
    try:
        node: Any = json.loads(text)
        for part in dotted.split("."):
            node = node[int(part) if isinstance(node, list) else part]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return node if isinstance(node, str) else json.dumps(node)
