"""`slipway ledger`: the record of a stack's releases, for when it is damaged."""

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, live_stack, progress, say

app = typer.Typer(help="Repair the record of a stack's releases.", no_args_is_help=True)


@app.command()
def repair(
    stack: Stack = DEFAULT_STACK,
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for a lease that is held.", min=0)
    ] = 0,
    json: Json = False,
) -> None:
    """Rebuild what is damaged or lost in the ledger, from its other objects and from what the hosts hold.

    Says what it did. Objects that cannot be read are kept under stacks/<stack>/damaged/ in the builds bucket.
    No host is changed; `slipway status` then shows what serves, and finishes what a killed command left.

    Examples:
      slipway ledger repair
      slipway ledger repair --stack prod
    """
    from slipway.release.repair import repair as rebuild  # noqa: PLC0415

    done = rebuild(live_stack(stack), progress(as_json=json), wait_seconds=wait)
    if json:
        emit_json({"repaired": done})
        return
    for line in done or ["the ledger is whole: nothing was changed"]:
        say(line)
