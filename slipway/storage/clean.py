"""Blotting values out of what is recorded, however deep they sit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast


def clean(detail: Mapping[str, object], redact: Callable[[str], str]) -> dict[str, object]:
    """`detail` with every string in it redacted."""
    return {key: _clean(value, redact) for key, value in detail.items()}


def _clean(value: object, redact: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return clean(cast("Mapping[str, object]", value), redact)
    if isinstance(value, (list, tuple)):
        return [_clean(item, redact) for item in cast("Sequence[object]", value)]
    return value
