"""`slipway run`: a one-off task with the live release's code and env, on a worker."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, progress


def run(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
    stack: Stack = DEFAULT_STACK,
    host: Annotated[
        str | None, typer.Option("--host", help="Default: the first worker, else the first web host.")
    ] = None,
    timeout: Annotated[
        int, typer.Option("--timeout", help="Seconds before it is stopped.", min=1, max=86_400)
    ] = 3600,
    json: Json = False,
) -> None:
    """Run a one-off task with the live release's code and env, and end with its exit code.

    [dim]Examples:[/]
      slipway run -- bun run src/task.ts outbox.drain --batch-size 100
      slipway run --stack prod --timeout 600 -- bun run src/task.ts users.set-role --input '{"id":"7"}'
    """
    from slipway.release.task import run_task  # noqa: PLC0415
    from slipway.settings.project import open_project  # noqa: PLC0415

    outcome = run_task(
        open_project(stack), command, host=host, timeout=timeout, progress=progress(as_json=json)
    )
    if json:
        emit_json(outcome.as_json())
    else:
        sys.stdout.write(outcome.output)
    raise typer.Exit(outcome.exit)
