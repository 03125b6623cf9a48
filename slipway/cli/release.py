"""`slipway release`: ship the app as it is here to a stack."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, progress, say


def release(
    stack: Stack = DEFAULT_STACK,
    observe: Annotated[
        float | None,
        typer.Option("--observe", help="Seconds to observe after the switch; 0 for none.", min=0),
    ] = None,
    checks: Annotated[bool, typer.Option(help="Run the app's own preflight commands.")] = True,
    prove: Annotated[
        bool | None,
        typer.Option(
            "--prove/--no-prove",
            help="Checks and load after the switch; default: as the stack's slipway:prove says.",
            show_default=False,
        ),
    ] = None,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Run the migrate command even if nothing seems to have moved.")
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for a lease that is held.", min=0)
    ] = 0,
    json: Json = False,
) -> None:
    """Build the app, start it beside the live release, prove it there, switch, observe, prove, promote.

    No request is lost and no socket is cut. Whatever fails is undone; the live release goes on serving.
    What a release must prove after the switch, by checks and by load, is set by slipway:prove of the stack.

    [dim]Examples:[/]
      slipway release
      slipway release --stack prod --observe 120
      slipway release --stack preview --json
      slipway release --prove
    """
    from slipway.release.rollout import Options  # noqa: PLC0415
    from slipway.release.ship import ship  # noqa: PLC0415
    from slipway.settings.project import open_project  # noqa: PLC0415

    options = Options(
        observe_seconds=observe,
        checks=checks,
        prove=prove,
        migrate=True if migrate else None,
        wait_seconds=wait,
    )
    report = ship(open_project(stack), options, progress(as_json=json))
    if json:
        emit_json(report.as_json())
        return
    for warning in report.warnings:
        say(f"warning: {warning}")
    say(f"release {report.release} (build {report.build}) serves {report.url} after {report.seconds:.1f} s")
    say(f"back again: slipway rollback --stack {stack}")
