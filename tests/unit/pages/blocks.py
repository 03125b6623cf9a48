"""What a page of Markdown holds: its fenced blocks, the commands in them, its code spans."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
SHELL = ("sh", "bash", "console", "")
"""Languages of blocks that hold commands; in a block without one, lines that are none are passed over."""
_FENCE = re.compile(
    r"^ *```(?P<language>[\w-]*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
_INDENTED = re.compile(r"(?:^ {4}slipway .*\n?)+", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_ENDS = {"|", "||", "&&", ";", "&", "<", ">", ">>", "<<<"}
_BEFORE = re.compile(r"^((sudo|uv run( --no-sync)?) )?(\.venv/bin/)?slipway ")
"""What may stand before a command of slipway on a line."""


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    title: str
    """The file whose content it is; empty: none."""
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            page, text.count("\n", 0, each.start()) + 1, each["language"], each["title"] or "", each["text"]
        )
        for each in _FENCE.finditer(text)
    ]


def lines(text: str) -> list[str]:
    """The command lines of a block: continued lines joined, comments and empty lines left out."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Each command of slipway that the page shows, with its place, as arguments after `slipway`."""
    text = page.read_text()
    prose = _FENCE.sub("", text)
    for block in blocks(page):
        if block.language in SHELL:
            for line in lines(block.text):
                yield from ((block.place, each) for each in slipway_commands(line))
    for found in _INDENTED.findall(prose):
        for line in lines(found):
            yield from ((str(page.relative_to(ROOT)), each) for each in slipway_commands(line))
    for span in spans(prose):
        # A synopsis has brackets and alternatives; it is no command.
        if span.startswith("slipway ") and not re.search(r"[\[\]|*{]|…", span):
            yield from ((str(page.relative_to(ROOT)), each) for each in slipway_commands(span))


def spans(prose: str) -> list[str]:
    return _SPAN.findall(prose)


def slipway_commands(line: str) -> Iterator[list[str]]:
    """The calls of slipway in a command line: in a pipe, after `&&`, before a redirection."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in _ENDS:
            words.append(word)
            continue
        if found := _BEFORE.match(" ".join([*words, ""])):
            yield words[found[0].count(" ") :]
        words = []
