"""`slipway release`: ship the app as it is here to a stack."""

from typing import Annotated

import typer

from slipway.cli.build import Unsandboxed
from slipway.cli.console import DEFAULT_STACK, Json, Stack, live_stack, progress, say_shipped


def release(
    stack: Stack = DEFAULT_STACK,
    build: Annotated[
        str, typer.Option("--build", help="Id or folder of a build that `slipway build` made.")
    ] = "",
    unsandboxed: Unsandboxed = False,
    observe: Annotated[
        float | None,
        typer.Option("--observe", help="Seconds to observe after the switch; 0 for none.", min=0),
    ] = None,
    checks: Annotated[bool, typer.Option(help="Run the app's own preflight commands.")] = True,
    prove: Annotated[
        bool | None,
        typer.Option(
            "--prove/--no-prove",
            help="Checks and load test after the switch; default: as slipway:prove says.",
            show_default=False,
        ),
    ] = None,
    migrate: Annotated[
        bool,
        typer.Option("--migrate", help="Run the migrate command even if nothing seems to have changed."),
    ] = False,
    after_rollback: Annotated[
        bool,
        typer.Option("--after-rollback", help="Release although the stack is held since a rollback."),
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for a lease that is held.", min=0)
    ] = 0,
    json: Json = False,
) -> None:
    """Build the app, start it beside the live release, smoke-test it there, switch, observe, prove, promote.

    No request is lost and no socket is cut. Whatever fails is undone; the live release goes on serving.
    The stack's slipway:prove says what a release must prove after the switch, by checks and by load.

    A held stack refuses releases (slipway hold). After a rollback it refuses the build that was rolled back,
    and every release that a machine starts (CI=true), until slipway resume or --after-rollback.

    Examples:
      slipway release
      slipway release --stack prod --observe 120
      slipway release --stack preview --json
      slipway release --prove
      slipway release --stack prod --build artifact
      slipway release --stack prod --after-rollback
    """
    from slipway.release.hold import is_automatic  # noqa: PLC0415
    from slipway.release.rollout import Options  # noqa: PLC0415
    from slipway.release.ship import ship  # noqa: PLC0415

    options = Options(
        observe_seconds=observe,
        checks=checks,
        build=build,
        unsandboxed=unsandboxed,
        prove=prove,
        migrate=True if migrate else None,
        after_rollback=after_rollback,
        automatic=is_automatic(),
        wait_seconds=wait,
    )
    report = ship(live_stack(stack), options, progress(as_json=json))
    say_shipped(report, stack, json=json)
