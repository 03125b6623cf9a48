"""`slipway logs`: what the app's processes say, host by host."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Stack


def logs(
    stack: Stack = DEFAULT_STACK,
    host: Annotated[str | None, typer.Option("--host", help="Only this host; default: all.")] = None,
    process: Annotated[
        str | None, typer.Option("--process", "-p", help="Only this process of slipway.toml.")
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", help="Last lines of each host.", min=1, max=10_000)
    ] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the last log lines of the app, each after its host's name; secret values are blotted out.

    [dim]Examples:[/]
      slipway logs --process worker -n 200
      slipway logs --stack prod --host web1 --follow
    """
    from slipway.release.logs import stream  # noqa: PLC0415
    from slipway.settings.project import open_project  # noqa: PLC0415

    for name, line in stream(open_project(stack), host=host, process=process, lines=lines, follow=follow):
        typer.echo(f"{name:<9} {line}")
