"""Where two property maps differ, and in what: short enough to print, and without secrets. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from slipway.secrets.scan import KNOWN_KEYS

LONGEST = 80
HIDDEN = "[secret]"
ABSENT = "(none)"
_MACHINERY = "__"
"""How the engine's own properties begin: __provider, __defaults."""
_SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - a mark, no password
"""The key by which the engine's documents tell a secret from any other object."""
_SECRET_NAMES = re.compile(r"password|passwd|secret(?!s?Arn|.*(Arn|Name|Id)$)|token|private|credential", re.I)
_SECRET_VALUES = re.compile("|".join(pattern.decode() for pattern in KNOWN_KEYS.values()))


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """`(path, was, is)` of every leaf that differs, by path: `ingress[0].cidrBlocks[1]`."""
    return [(path, _show(path, was), _show(path, now)) for path, was, now in _leaves("", old, new)]


def holds_secret(value: object) -> bool:
    """Is there a secret, blotted out by the engine, anywhere in `value`?"""
    return _SECRET_MARK in json.dumps(value, default=str)


def _leaves(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        before, after = cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", new)
        for key in sorted({*before, *after}):
            if not key.startswith(_MACHINERY):
                below = f"{path}.{key}" if path else key
                yield from _leaves(below, before.get(key, ABSENT), after.get(key, ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        before, after = cast("Sequence[Any]", old), cast("Sequence[Any]", new)
        for index in range(max(len(before), len(after))):
            was = before[index] if index < len(before) else ABSENT
            now = after[index] if index < len(after) else ABSENT
            yield from _leaves(f"{path}[{index}]", was, now)
    else:
        yield path, old, new


def _show(path: str, value: Any) -> str:
    """The value as a person reads it. A name that sounds of secrets hides it, and so does a key's look."""
    if value == ABSENT:
        return ABSENT
    text = value if isinstance(value, str) else json.dumps(_without_secrets(value), sort_keys=True)
    if _SECRET_NAMES.search(path) or _SECRET_VALUES.search(text):
        return HIDDEN
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {k: HIDDEN if _SECRET_NAMES.search(k) else _without_secrets(v) for k, v in items}
    if isinstance(value, list):
        return [_without_secrets(item) for item in cast("Sequence[Any]", value)]
    return value
