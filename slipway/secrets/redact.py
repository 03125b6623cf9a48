"""Keeps secret values out of everything that is printed, logged or written down."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, MutableMapping
from typing import Any, cast

from slipway.secrets.forms import forms

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
