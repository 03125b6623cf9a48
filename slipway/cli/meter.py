"""`slipway meter`: steady traffic at a live stack, and the truth about every request and socket."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack


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

    [dim]Examples:[/]
      slipway meter --rps 300 --sockets 100 --seconds 60
      slipway meter --stack preview --json > meter.json
    """
    from slipway.secrets.contract import compose  # noqa: PLC0415
    from slipway.settings.project import open_project  # noqa: PLC0415
    from slipway.stack import LiveStack  # noqa: PLC0415
    from slipway.traffic.meter import run  # noqa: PLC0415

    project = open_project(stack)
    opened = LiveStack(project)
    env = compose(project.app, project.stack, opened.outputs, opened.secrets, "smoke")
    key = opened.outputs.load_header_secret
    if key in opened.secrets:
        env[key] = opened.secrets[key]
    if sockets is None:
        sockets = 10 if project.app.websocket else 0
    raise typer.Exit(
        run(
            opened.outputs,
            project.app,
            env,
            rps=rps,
            sockets=sockets,
            seconds=seconds,
            json=json,
            i_know=i_know,
        )
    )
