"""Hooks of mkdocs. The pages are written for readers of the repository too.

A link to a file outside docs/ leads to the repository, or is plain text where its address is not known
(REPOSITORY_URL). Lists follow CommonMark, as on GitHub; Python-Markdown wants a blank line before a list and
four spaces a level. The menu has every command, and so names none.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

ITEM = re.compile(r"( *)([-*]|\d+\.)( +)\S")
FENCE = re.compile(r" *(```|~~~)")
LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)\s]*)\)")


def on_config(config: Any) -> None:
    """Called by mkdocs with mkdocs.yml: each command's page goes into the menu below that of all commands."""
    pages = sorted(Path(config["docs_dir"], "reference", "cli").glob("*.md"))
    commands = [{page.stem: f"reference/cli/{page.name}"} for page in pages if page.stem != "index"]
    reference = next(each["Reference"] for each in config["nav"] if "Reference" in each)
    next(each["Commands"] for each in reference if "Commands" in each).extend(commands)


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Called by mkdocs with each page's text."""
    docs = Path(config["docs_dir"])
    return with_python_lists(with_links_out(markdown, docs / page.file.src_uri, docs))


def with_links_out(text: str, page: Path, docs: Path) -> str:
    """Links to files of the repository outside `docs` lead to where it is published."""
    root = docs.parent
    address = os.environ.get("REPOSITORY_URL", "").rstrip("/")

    def replaced(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(page.parent / link[2].partition("#")[0]))
        if target.is_relative_to(docs) or not target.exists():
            return link[0]
        return f"[{link[1]}]({address}/blob/main/{target.relative_to(root)})" if address else link[1]

    return LINK.sub(replaced, text)


def with_python_lists(text: str) -> str:
    """The same lists with a blank line before each, and with four spaces for each level."""
    lines: list[str] = []
    levels: list[int] = []
    """Columns at which the text of the open items begins."""
    fenced, before = False, ""
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        item = None if fenced else ITEM.match(line)
        if FENCE.match(line):
            fenced = not fenced
        elif fenced or not line.strip():
            lines.append(f"{_deeper(levels, indent)}{line.lstrip()}" if line.strip() else "")
            before = line
            continue
        if item or not before.strip():
            while levels and indent < levels[-1]:
                levels.pop()
        if (
            item
            and not levels
            and before.strip()
            and not ITEM.match(before)
            and not before.startswith((" ", "#"))
        ):
            lines.append("")
        lines.append(f"{_deeper(levels, indent)}{line.lstrip()}")
        if item:
            levels.append(item.end(3))
        before = line
    return "\n".join(lines) + "\n"


def _deeper(levels: list[int], indent: int) -> str:
    """The indent of a line within the open items."""
    return " " * (4 * len(levels) + max(0, indent - levels[-1])) if levels else " " * indent
