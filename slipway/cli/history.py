"""`slipway history`: the releases of a stack, newest first."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, table


def history(
    stack: Stack = DEFAULT_STACK,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many.", min=1, max=1000)] = 20,
    json: Json = False,
) -> None:
    """List releases and rollbacks: who, when, which build, how it ended.

    [dim]Examples:[/]
      slipway history --stack prod --limit 5
    """
    from slipway.release.history import COLUMNS, as_json, entries, row  # noqa: PLC0415
    from slipway.settings.project import open_project  # noqa: PLC0415

    found = entries(open_project(stack), limit)
    if json:
        emit_json([as_json(release) for release in found])
        return
    table(COLUMNS, (row(release) for release in found))
