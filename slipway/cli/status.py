"""`slipway status`: what serves where, now."""

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, live_stack, progress, say, table


def status(
    stack: Stack = DEFAULT_STACK,
    wait: Annotated[
        float,
        typer.Option("--wait", help="Seconds to wait for the lease of a command that was killed.", min=0),
    ] = 0,
    json: Json = False,
) -> None:
    """Show the live release, what every host runs, and whether anything is unfinished.

    If a killed command left something unfinished, it is finished or undone first.

    Examples:
      slipway status
      slipway status --stack prod --json
    """
    from slipway.release.status import look  # noqa: PLC0415

    found = look(live_stack(stack), progress(as_json=json), wait_seconds=wait)
    if json:
        emit_json(found.as_json())
        return
    say(found.headline)
    table(("HOST", "ROLE", "SLOT", "RELEASE", "BUILD", "STATE", "PROCESSES"), found.rows)
    for note in found.notes:
        say(note)
