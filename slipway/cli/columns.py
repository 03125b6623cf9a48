"""Text in columns that fit the terminal, without rich: importing it takes longer than most commands have."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

NARROWEST = 8
"""A column is not made narrower than this, even if lines then leave the terminal."""


def widths(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """The width of each column: its longest cell; if all need more than `room`, the widest gives way."""
    found = [max((_longest(cell) for cell in column), default=0) for column in zip(*rows, strict=True)]
    while sum(found) > room and max(found) > NARROWEST:
        others = sorted({NARROWEST, *(width for width in found if width < max(found))})
        widest = [index for index, width in enumerate(found) if width == max(found)]
        over = sum(found) - room
        for index in widest:
            found[index] = max(found[index] - -(-over // len(widest)), others[-1])
    return found


def lines(row: Sequence[str], columns: Sequence[int]) -> Iterator[list[str]]:
    """The cells of `row` wrapped to the widths `columns`: line by line, each cell padded to its width."""
    cells = [wrapped(cell, width) for cell, width in zip(row, columns, strict=True)]
    for number in range(max(len(cell) for cell in cells)):
        yield [
            (cell[number] if number < len(cell) else "").ljust(width)
            for cell, width in zip(cells, columns, strict=True)
        ]


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width`; line ends and indents stay, long words are cut."""
    found: list[str] = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        found += textwrap.wrap(line, max(width, 1), subsequent_indent=indent, break_on_hyphens=False) or [""]
    return found


def _longest(cell: str) -> int:
    return max(len(line) for line in cell.split("\n"))
