"""Help in the look of typer's own, in panels and colours, without rich: `--help` appears at once."""

from __future__ import annotations

import inspect
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

from slipway.cli.columns import lines, widths, wrapped

BOLD, DIM = "1", "2"
_FORCE_COLOUR = ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS")
"""Variables that ask for colours where there is no terminal; `NO_COLOR` asks for none on one."""
_STYLES = (
    (re.compile(r"(?<!\S)(--[\w-]+)"), "1;36"),
    (re.compile(r"(?<!\S)(-\w)(?![\w-])"), "1;32"),
    (re.compile(r"(<[^>]+>)"), "1;33"),
    (re.compile(r"(\[(?:default|env var|required)\b[^]]*\])"), DIM),
    (re.compile(r"(Usage:)"), "33"),
)
"""What is coloured wherever it stands: options, short options, types, defaults."""


class Command(TyperCommand):
    """A command whose help is ours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_page(self, ctx))


class Group(TyperGroup):
    """A group of commands whose help is ours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_page(self, ctx))


def _page(command: Any, context: Any) -> str:
    """The whole help; typer takes the colours out again where the output is no terminal."""
    if any(os.environ.get(name) for name in _FORCE_COLOUR):
        context.color = True
    if os.environ.get("NO_COLOR"):
        context.color = False
    width = shutil.get_terminal_size().columns
    parameters = [each for each in command.get_params(context) if not each.hidden]
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    options = [each for each in parameters if each.param_type_name == "option"]
    first, *rest = inspect.cleandoc(command.help or "").split("\n\n")
    text = ["", *(_styled(line, BOLD) for line in _indented(command.get_usage(context), width)), ""]
    text += [*_prose(first, width), ""]
    for paragraph in rest:
        text += [*(_styled(line, DIM) for line in _prose(paragraph, width)), ""]
    text += _panel("Arguments", [_parameter(each, context) for each in arguments], width)
    text += _panel("Options", [_parameter(each, context) for each in options], width)
    if isinstance(command, TyperGroup):
        each = [(name, _first(inner.help or "")) for name, inner in command.commands.items()]
        text += _panel("Commands", each, width)
    if command.epilog:
        text += ["", *_prose(command.epilog, width), ""]
    return "\n".join(text)


def _parameter(parameter: Any, context: Any) -> tuple[str, ...]:
    """Long names, short names, type, and what it does with its default."""
    names = (*parameter.opts, *parameter.secondary_opts)
    if parameter.param_type_name == "argument":
        names = (parameter.display_name_raw + ("..." if parameter.nargs != 1 else ""),)
    long = ",".join(name for name in names if not re.match("-[^-]", name))
    short = ",".join(name for name in names if re.match("-[^-]", name))
    kind = parameter.display_type_rich(context) or ""
    # Typer writes its brackets as markup: `\[default: local]`.
    help_text = parameter.get_help_record(context)[1].replace("\\[", "[")
    return long, short, kind, " ".join(help_text.split())


def _panel(title: str, rows: Sequence[tuple[str, ...]], width: int) -> Iterator[str]:
    """Rows in a box; nothing if there are none. The first column is coloured where nothing else is."""
    if not rows:
        return
    used = [number for number, column in enumerate(zip(*rows, strict=True)) if any(column)]
    kept = [[row[number] for number in used] for row in rows]
    inner = width - 4
    columns = widths(kept, inner - 2 * (len(used) - 1))
    yield _styled(f"╭─ {title} ".ljust(width - 1, "─") + "╮", DIM)
    bar = _styled("│", DIM)
    for row in kept:
        for cells in lines(row, columns):
            first = cells[0] if cells[0].startswith("-") else _styled(cells[0], "1;36")
            line = "  ".join([first, *cells[1:]])
            filled = sum(columns) + 2 * (len(used) - 1)
            yield f"{bar} {_coloured(line)}{' ' * (inner - filled)} {bar}"
    yield _styled("╰" + "─" * (width - 2) + "╯", DIM)


def _prose(paragraph: str, width: int) -> list[str]:
    """A paragraph: its lines joined and wrapped, but for lines that are indented."""
    return _indented(re.sub(r"(?<=\S)\n(?=\S)", " ", paragraph), width)


def _indented(text: str, width: int) -> list[str]:
    return [f" {_coloured(line)}" for line in wrapped(text, width - 2)]


def _first(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def _coloured(line: str) -> str:
    for pattern, style in _STYLES:
        line = pattern.sub(lambda found, style=style: _styled(found[1], style), line)
    return line


def _styled(text: str, style: str) -> str:
    """`text` in a style, which goes on after a piece of it that is in a style of its own."""
    begin, end = f"\x1b[{style}m", "\x1b[0m"
    return begin + text.replace(end, end + begin) + end if text.strip() else text
