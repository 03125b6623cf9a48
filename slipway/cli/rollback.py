"""`slipway rollback`: back to the last known good release, in a second while its slot is warm."""

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, live_stack, progress, say


def rollback(
    stack: Stack = DEFAULT_STACK,
    to: Annotated[
        int | None,
        typer.Option("--to", help="A release's number; default: the good one before.", min=1),
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for another rollback or a recovery.", min=0)
    ] = 0,
    json: Json = False,
) -> None:
    """Go back to the last known good release.

    First proves on every host that the release can serve, then switches all hosts. This takes a second while
    the release's slot is warm; an older release is staged and booted again first.

    A release that runs is stopped, wherever it is. If users have it already, the rollback returns them to the
    release before it. Afterwards the stack is held: see slipway hold --help.

    Examples:
      slipway rollback
      slipway rollback --stack prod --to 41
    """
    from slipway.release.rollback import go_back  # noqa: PLC0415

    report = go_back(live_stack(stack), to=to, wait_seconds=wait, progress=progress(as_json=json))
    if json:
        emit_json(report.as_json())
        return
    for warning in report.warnings:
        say(f"warning: {warning}")
    how = "its slot was warm" if report.warm else "it was booted again"
    say(f"release {report.release} serves {report.url} after {report.seconds:.2f} s ({how})")
