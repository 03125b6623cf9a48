"""The shapes a secret takes in logs, URLs, headers and JSON, so that each can be recognised."""

from __future__ import annotations

import base64
import json
import shlex
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Values with fewer characters would be found everywhere by chance."""
_SHORTEST_LINE = 16
_SHORTEST_BASE64 = 8


def forms(value: str) -> set[str]:
    """Every text by which `value` may appear; empty if it is too short to be recognised."""
    if len(value) < SHORTEST:
        return set()
    found = _escaped(value) | _base64(value.encode())
    lines = [line.strip() for line in value.splitlines() if len(line.strip()) >= _SHORTEST_LINE]
    if len(lines) > 1:  # a PEM key is printed and logged line by line
        found.update(line for line in lines if not line.startswith("-----"))
    return {form for form in found if len(form) >= SHORTEST}


def _escaped(value: str) -> set[str]:
    percent = {quote(value, safe=""), quote(value), quote_plus(value), quote(value, safe="!*'()")}
    return {
        value,
        value.strip(),
        *percent,
        *(_small_hex(form) for form in percent),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(value).replace("/", "\\/")[1:-1],
        repr(value)[1:-1],
        shlex.quote(value),
        value.encode().hex(),
    }


def _base64(raw: bytes) -> set[str]:
    """Base64 of `raw` by itself and inside a longer text (`user:password`), where it may be shifted."""
    found: set[str] = set()
    for shift in range(3):
        padded = b"\0" * shift + raw
        text = base64.b64encode(padded).decode()
        # Characters that mix in bits of the neighbours differ from case to case: only the middle is certain.
        start = (shift * 8 + 5) // 6
        end = len(padded) * 8 // 6
        middle = text[start:end]
        if len(middle) >= _SHORTEST_BASE64:
            found |= {middle, middle.replace("+", "-").replace("/", "_")}
    whole = base64.b64encode(raw).decode()
    found |= {whole, base64.urlsafe_b64encode(raw).decode(), quote(whole, safe="")}
    return found


def _small_hex(text: str) -> str:
    parts = text.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])
