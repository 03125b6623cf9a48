"""`slipway --version`."""

from __future__ import annotations

from typing import Annotated

import typer


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version as installed  # noqa: PLC0415 - 10 ms for one rare option

        typer.echo(f"slipway {installed('slipway')}")
        raise typer.Exit


def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ship a web app to a live fleet without losing a request, and go back in a second."""
