"""Whether a value is what its entry of the env contract allows. No message ever holds the value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from slipway.settings.app import EnvVar


def misfits(var: EnvVar, value: str, stack: str | None = None) -> Iterator[str]:
    """What `var` forbids about `value`, on `stack` if one is given."""
    if var.kind == "integer" and not re.fullmatch(r"[+-]?\d+", value):
        yield "must be a whole number"
    if var.kind == "boolean" and value not in ("true", "false", "1", "0"):
        yield "must be true, false, 1 or 0"
    if var.kind == "url" and not is_url(value):
        yield 'must be a URL with scheme and host, for example "https://example.com"'
    if len(value) < var.min_length:
        yield f"must be at least {var.min_length} characters, has {len(value)}"
    of_stack = var.stack_pattern.get(stack, var.stack_pattern.get("*")) if stack else None
    for pattern in (var.pattern, of_stack):
        if pattern is not None and not re.fullmatch(pattern, value):
            yield f"must match {pattern}"


def is_url(value: str) -> bool:
    """True for `scheme://host…` and for what has no host by nature (`file:/data/app.db`)."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    if re.search(r"\s", value) or not re.fullmatch(r"[a-z][a-z0-9+.-]*", parts.scheme):
        return False
    return bool(parts.netloc or (parts.scheme in ("file", "sqlite") and parts.path))
