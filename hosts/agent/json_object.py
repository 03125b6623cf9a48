"""Typed reading of JSON objects: requests, manifests, host.json and the state file."""

from __future__ import annotations

import json
import re

from .errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import cast
else:

    def cast(_type: object, value: object) -> object:
        """`typing.cast` without importing typing (4 ms)."""
        return value


NO_TEXT = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
"""Surrogates and noncharacters: systemd discards a line, or a whole env file, that holds one."""
_ENDS_LINES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class JsonObject:
    """A JSON object whose values are checked when read; a wrong one raises `bad_request` with its name."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise AgentError("bad_request", f"{where}: must be a JSON object, got {_name(value)}")
        self.raw = cast("dict[str, object]", value)
        self.where = where

    @classmethod
    def parse(cls, text: str | bytes, where: str) -> JsonObject:
        """The object in `text`; an empty text is an empty object."""
        try:
            return cls(json.loads(text or "{}"), where)
        except ValueError as error:
            raise AgentError("bad_request", f"{where}: not JSON ({error})") from None

    def has(self, name: str) -> bool:
        """Whether `name` is given and not null."""
        return self.raw.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self._wrong(name, "a string", value)
        return value

    def line(self, name: str, default: str | None = None) -> str:
        """A string that becomes part of a line: of a unit, a command to HAProxy or a request."""
        return one_line(self.text(name, default), f"{self.where}.{name}")

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(name, "an integer", value)
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """An integer or a float."""
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._wrong(name, "a number", value)
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.raw.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false", value)
        return value

    def section(self, name: str) -> JsonObject:
        """A nested object; missing or null is an empty one."""
        value = self.raw.get(name)
        return JsonObject({} if value is None else value, f"{self.where}.{name}")

    def sections(self, name: str) -> list[JsonObject]:
        """A list of objects; missing or null is an empty one."""
        return [
            JsonObject(item, f"{self.where}.{name}[{index}]") for index, item in enumerate(self._list(name))
        ]

    def table(self, name: str) -> dict[str, JsonObject]:
        """An object of objects, by key."""
        inner = self.section(name)
        return {key: JsonObject(value, f"{inner.where}.{key}") for key, value in inner.raw.items()}

    def texts(self, name: str) -> list[str]:
        items = self._list(name)
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise self._wrong(f"{name}[{index}]", "a string", item)
        return cast("list[str]", items)

    def strings(self, name: str) -> dict[str, str]:
        """An object of strings. The value itself is never quoted in the error: it may be a secret."""
        inner = self.section(name)
        for key, value in inner.raw.items():
            if not isinstance(value, str):
                raise AgentError("bad_request", f"{inner.where}.{key}: must be a string, got {_name(value)}")
        return cast("dict[str, str]", inner.raw)

    def _list(self, name: str) -> list[object]:
        value = self.raw.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(name, "a list", value)
        return cast("list[object]", value)

    def _wrong(self, name: str, wanted: str, value: object) -> AgentError:
        return AgentError("bad_request", f"{self.where}.{name}: must be {wanted}, got {_name(value)}")


def one_line(text: str, where: str) -> str:
    """`text`; `bad_request` if it holds a character that ends lines, or for which systemd discards them."""
    if found := _ENDS_LINES.search(text) or NO_TEXT.search(text):
        raise AgentError("bad_request", f"{where}: must not hold the control character U+{ord(found[0]):04X}")
    return text


def _name(value: object) -> str:
    if value is None:
        return "nothing"
    return {"dict": "an object", "list": "a list", "str": "a string", "bool": "a boolean"}.get(
        type(value).__name__, "a number"
    )
