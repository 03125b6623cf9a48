"""`slipway history`: the releases of a stack, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, live_stack, table

if TYPE_CHECKING:
    from slipway.storage.records import Release

COLUMNS = ("NUMBER", "WHEN", "KIND", "BUILD", "GIT", "STATUS", "BY")


def history(
    stack: Stack = DEFAULT_STACK,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many.", min=1, max=1000)] = 20,
    json: Json = False,
) -> None:
    """List releases and rollbacks: who, when, which build, how it ended.

    Examples:
      slipway history --stack prod --limit 5
    """
    found = live_stack(stack).ledger.history(limit)
    if json:
        emit_json([{**release.model_dump(mode="json"), "status": release.status} for release in found])
        return
    table(COLUMNS, (_row(release) for release in found))


def _row(release: Release) -> tuple[str, ...]:
    return (
        str(release.number),
        release.created.strftime("%Y-%m-%d %H:%M:%S"),
        f"rollback to {release.target}" if release.kind == "rollback" else release.kind,
        release.build[:13],
        release.source,
        release.status.replace("_", " "),
        release.actor,
    )
