"""On which line of a TOML text a key stands, so that an error can point at it.

The text has been parsed by `tomllib` before: this scan only tracks positions and judges nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress

from slipway.settings.violations import KeyPath


class TomlLines:
    """Lines (from 1) of every table, key and list item of a valid TOML text."""

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
