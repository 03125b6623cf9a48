"""Keeps secret values, in whatever form they appear, out of everything that is printed, logged or written."""

from __future__ import annotations

import base64
import json
import logging
import re
import shlex
from collections.abc import Mapping, MutableMapping
from typing import Any, cast
from urllib.parse import quote, quote_plus

_OPEN, _CLOSE = "\u2039", "\u203a"
"""Single angle quotation marks, which stand in no value and no shell."""


class Redactor:
    """Replaces each secret, in whatever shape it appears, by its name. Also a structlog processor."""

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
        """`text` without secrets. Give it whole lines: a value cut in two is not recognised."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: _OPEN + self._names[match[0]] + _CLOSE, text)

    def data(self, value: Any) -> Any:
        """`value` (as in JSON) with all text redacted, keys too; what JSON has no form for, as text."""
        match value:
            case None | bool() | int() | float():
                clean = value
            case bytes():
                clean = self.text(value.decode(errors="replace")).encode()
            case Mapping():
                items = cast("Mapping[Any, Any]", value).items()
                clean = {self.data(key): self.data(item) for key, item in items}
            case list() | tuple() | set() | frozenset():
                clean = [self.data(item) for item in cast("list[Any]", value)]
            case _:
                clean = self.text(str(value))
        return clean

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """structlog processor: put it after `format_exc_info`, before the renderer."""
        del logger, method
        return cast("dict[str, Any]", self.data(event))


class RedactingFilter(logging.Filter):
    """Redacts the records of a standard handler, tracebacks included; it lets every record pass."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor
        self._formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Changes `record` in place."""
        record.msg = self._redactor.text(record.getMessage())
        record.args = ()
        if record.exc_info:
            record.exc_text = self._redactor.text(self._formatter.formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = self._redactor.text(record.stack_info)
        return True


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
