"""Keeps secret values, in whatever form they appear, out of everything that is printed, logged or written."""

import base64
import json
import re
import shlex
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

_OPEN, _CLOSE = "\u2039", "\u203a"
"""Single angle quotation marks: they occur in no value and mean nothing to a shell."""


class Redactor:
    """Replaces each secret, in whatever form it appears, by its name."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._names: dict[str, str] = {}
        for name, value in sorted(values.items()):
            for form in forms(value):
                self._names.setdefault(form, name)
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __repr__(self) -> str:
        return f"Redactor({len(self._names)} forms)"

    def text(self, text: str) -> str:
        """`text` without secrets. Pass whole lines: a value that is cut in two is not recognised."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: _OPEN + self._names[match[0]] + _CLOSE, text)


SHORTEST = 6
"""Shorter values would match ordinary text by chance."""
_SHORTEST_LINE = 16
_SHORTEST_BASE64 = 8


def forms(value: str) -> set[str]:
    """Every form in which `value` may appear; empty if it is too short to be recognised."""
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
    """Base64 of `raw` alone and inside a longer text (`user:password`), where it may be shifted."""
    found: set[str] = set()
    for shift in range(3):
        padded = b"\0" * shift + raw
        text = base64.b64encode(padded).decode()
        # The first and last characters also encode bits of the neighbours: only the middle is certain.
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
