"""`slipway meter`: steady traffic at a live stack, and the truth about every request and socket."""

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, live_stack


def meter(
    stack: Stack = DEFAULT_STACK,
    rps: Annotated[float, typer.Option("--rps", help="HTTP requests a second, on an open model.")] = 50,
    sockets: Annotated[
        int | None, typer.Option("--sockets", help="Echoing WebSockets; default: 10, or 0 without.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", help="How long; Ctrl-C ends early with a report.")
    ] = 30,
    i_know: Annotated[bool, typer.Option("--i-know", help="Allow load on the stack prod.")] = False,
    json: Json = False,
) -> None:
    """Send steady traffic and count what is lost: requests without a good answer, sockets closed abnormally.

    Latency counts from the moment a request was meant to start, so a frozen server cannot hide. Ends
    with exit code 1 if anything was lost, or if there was no data.

    Examples:
      slipway meter --rps 300 --sockets 100 --seconds 60
      slipway meter --stack preview --json > meter.json
    """
    from slipway.traffic.meter import run  # noqa: PLC0415
    from slipway.traffic.target import target_of  # noqa: PLC0415

    live = live_stack(stack)
    if sockets is None:
        sockets = 10 if live.app.websocket else 0
    target = target_of(live, "meter")
    raise typer.Exit(run(target, rps=rps, sockets=sockets, seconds=seconds, json=json, i_know=i_know))
