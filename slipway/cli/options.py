"""Options that several commands share, so that they read and behave the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

Stack = Annotated[
    str,
    typer.Option("--stack", "-s", envvar="SLIPWAY_STACK", help="The stack: local, preview, prod, …"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]

DEFAULT_STACK = "local"
