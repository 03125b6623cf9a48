"""What commands share: options that behave the same everywhere; output as JSON, or as text and tables."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.columns import lines, widths
from slipway.progress import Lines, Progress, for_stream
from slipway.settings.printable import printable

if TYPE_CHECKING:
    from slipway.platforms.platform import Platform
    from slipway.release.phases import Report
    from slipway.stack import LiveStack

Stack = Annotated[
    str,
    typer.Option("--stack", "-s", envvar="SLIPWAY_STACK", help="The stack: local, preview, prod, …"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]

DEFAULT_STACK = "local"


def platform_of_stack(name: str) -> Platform:
    """The platform of the stack `name` of the project that the current folder is in. BadInput: no such."""
    from slipway.platforms.platform import platform_of  # noqa: PLC0415 - slow to import, and --help needs none
    from slipway.settings import open_project  # noqa: PLC0415

    return platform_of(open_project(name))


def live_stack(name: str) -> LiveStack:
    """The stack `name` of the project that the current folder is in. BadInput: no such."""
    from slipway.stack import open_live  # noqa: PLC0415

    return open_live(name)


def progress(*, as_json: bool) -> Progress:
    """Progress goes to standard error, so that standard output holds the result alone."""
    if as_json:
        return Lines(sys.stderr)
    return for_stream(sys.stderr)


def emit_json(document: object) -> None:
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")


def say(text: str = "") -> None:
    """Print a line for a person. What an app or a host wrote in it gives the terminal no orders."""
    sys.stdout.write(printable(text) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print rows under bold headings; without colour where standard output is no terminal."""
    terminal = sys.stdout.isatty()
    cells = [tuple(columns), *(tuple(printable(cell) for cell in row) for row in rows)]
    room = shutil.get_terminal_size().columns if terminal else 160
    found = widths(cells, room - 2 * (len(columns) - 1))
    if title:
        say(title)
    for number, row in enumerate(cells):
        for line in lines(row, found):
            text = "  ".join(line).rstrip()
            sys.stdout.write(f"\x1b[1m{text}\x1b[0m\n" if terminal and not number else text + "\n")


def say_shipped(report: Report, stack: str, *, json: bool) -> None:
    """What a release or promotion to `stack` came to."""
    if json:
        emit_json(report.as_json())
        return
    for warning in report.warnings:
        say(f"warning: {warning}")
    build = report.build[:13]
    say(f"release {report.release} (build {build}) serves {report.url} after {report.seconds:.1f} s")
    say(f"back again: slipway rollback --stack {stack}")
