"""Reads `slipway.toml`: every violation in it, with file, line, key, value and remedy, in one error."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from slipway.settings.app import App
from slipway.settings.app_rules import broken_rules
from slipway.settings.errors import BadInput
from slipway.settings.violations import (
    Broken,
    InvalidSettings,
    KeyPath,
    Violation,
    display_name,
    dotted,
    explain,
)

FILE_NAME = "slipway.toml"
_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


def load_app(path: Path) -> App:
    """The app of the slipway.toml at `path` (the file or its folder).

    Raises BadInput: no such file; InvalidSettings (a BadInput): everything that is wrong in it.
    """
    file = path / FILE_NAME if path.is_dir() else path
    text = _read(file)
    data = _parse(file, text)
    app, wrong = _validate(data)
    if app is not None:
        wrong += broken_rules(app, file.parent)
    if wrong or app is None:
        lines, name = TomlLines(text), display_name(file)
        raise InvalidSettings(
            sorted(Violation(name, lines.line(key), dotted(key), problem, fix) for key, problem, fix in wrong)
        )
    return app


def toml_lines(file: Path) -> TomlLines:
    """Where keys stand in the slipway.toml `file`, for rules that look beyond it."""
    return TomlLines(_read(file))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(
            f"{display_name(file)}: no such file",
            remedy="slipway init writes one; or correct slipway:app",
        ) from None
    except (UnicodeDecodeError, OSError) as error:
        raise BadInput(f"{display_name(file)}: cannot be read: {error}") from None


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InvalidSettings(
            [Violation(display_name(file), 0, "", "values are nested too deeply")]
        ) from None
    except tomllib.TOMLDecodeError as error:
        found = _POSITION.search(str(error))
        line = int(found["line"] or 0) if found else 0
        problem = f"not valid TOML: {_POSITION.sub('', str(error))}"
        raise InvalidSettings(
            [Violation(display_name(file), line or text.count("\n") + 1, "", problem, _toml_remedy(problem))]
        ) from None


def _toml_remedy(problem: str) -> str:
    if "Invalid value" in problem:
        return "text stands in quotes; true, false and numbers do not"
    if "overwrite" in problem or "declare" in problem:
        return "a key or table may be given only once"
    return ""


def _validate(data: dict[str, Any]) -> tuple[App | None, list[Broken]]:
    """The app if the shape is right but for unknown keys, and what is wrong."""
    try:
        return App.model_validate(data), []
    except ValidationError as error:
        found = error.errors(include_url=False)
    wrong = [explain(each, App) for each in found]
    unknown = [each["loc"] for each in found if each["type"] == "extra_forbidden"]
    if len(unknown) < len(found):
        return None, wrong
    known = deepcopy(data)
    for place in unknown:
        _remove(known, place)
    try:
        return App.model_validate(known), wrong
    except ValidationError:
        return None, wrong


def _remove(data: dict[str, Any], path: tuple[str | int, ...]) -> None:
    table: Any = data
    for part in path[:-1]:
        table = table[part]
    cast("dict[str | int, Any]", table).pop(path[-1], None)


class TomlLines:
    """Lines (from 1) of every table, key and list item of a TOML text, so that an error can point at them.

    `tomllib` has parsed the text before: this scan only tracks positions and judges nothing.
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n") + "\n"
        self._breaks = [index for index, char in enumerate(self._text) if char == "\n"]
        self._found: dict[KeyPath, int] = {}
        self._tables: dict[KeyPath, int] = {}
        """Index of the newest entry of each array of tables."""
        self._at = 0
        with suppress(IndexError, ValueError):  # a text tomllib refused: what was found so far still helps
            self._document()

    def line(self, path: KeyPath) -> int:
        """The line of `path`, or of its nearest parent that is in the text; 0 if none is."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._found:
                return self._found[path[:length]]
        return 0

    def _document(self) -> None:
        table: KeyPath = ()
        while True:
            self._skip_blank()
            if self._at >= len(self._text):
                return
            start = self._at
            if self._text[start] == "[":
                is_array = self._text.startswith("[[", start)
                self._at += 2 if is_array else 1
                table = self._header(self._keys(), start, is_array=is_array)
                self._at = self._text.index("\n", self._at)
            else:
                self._pair(table)

    def _header(self, keys: list[str], start: int, *, is_array: bool) -> KeyPath:
        path: KeyPath = ()
        for index, key in enumerate(keys):
            path = (*path, key)
            last = index == len(keys) - 1
            if last and is_array:
                self._tables[path] = self._tables.get(path, -1) + 1
            self._note(path, start)
            if path in self._tables:
                path = (*path, self._tables[path])
                self._note(path, start)
        # A table that only appeared as a parent before is best shown where it is opened.
        if not is_array:
            self._found[path] = self._line_of(start)
        return path

    def _pair(self, table: KeyPath) -> None:
        start = self._at
        path = table
        for key in self._keys():
            path = (*path, key)
            self._note(path, start)
        self._at = self._text.index("=", self._at) + 1
        self._value(path)

    def _keys(self) -> list[str]:
        """A dotted key; stops before `=` or `]`."""
        keys: list[str] = []
        while True:
            self._skip_spaces()
            char = self._text[self._at]
            if char in "\"'":
                start = self._at
                self._string()
                keys.append(self._text[start + 1 : self._at - 1])
            else:
                start = self._at
                while self._text[self._at] not in " \t.=]\n":
                    self._at += 1
                keys.append(self._text[start : self._at])
            self._skip_spaces()
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        self._skip_blank()
        char = self._text[self._at]
        if char in "\"'":
            self._string()
        elif char == "[":
            self._list(path)
        elif char == "{":
            self._inline_table(path)
        else:
            start = self._at
            while self._text[self._at] not in ",]}#\n":
                self._at += 1
            if self._at == start:
                raise ValueError("no value")  # every step must go forward, or a broken text has no end

    def _list(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip_blank()
            if self._text[self._at] == "]":
                self._at += 1
                return
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._note((*path, index), self._at)
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while True:
            self._skip_blank()
            if self._text[self._at] == "}":
                self._at += 1
                return
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._pair(path)

    def _string(self) -> None:
        quote = self._text[self._at]
        fence = quote * 3 if self._text.startswith(quote * 3, self._at) else quote
        self._at += len(fence)
        while not self._text.startswith(fence, self._at):
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
            if self._at >= len(self._text):
                raise IndexError(self._at)
        self._at += len(fence)
        while len(fence) == 3 and self._text[self._at] == quote:  # up to two quotes may end the content
            self._at += 1

    def _skip_spaces(self) -> None:
        while self._text[self._at] in " \t":
            self._at += 1

    def _skip_blank(self) -> None:
        while self._at < len(self._text):
            if self._text[self._at] == "#":
                self._at = self._text.index("\n", self._at)
            elif self._text[self._at] in " \t\n":
                self._at += 1
            else:
                return

    def _note(self, path: KeyPath, at: int) -> None:
        self._found.setdefault(path, self._line_of(at))

    def _line_of(self, at: int) -> int:
        return bisect_right(self._breaks, at - 1) + 1
