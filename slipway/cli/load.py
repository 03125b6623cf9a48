"""`slipway load`: does the stack carry the load that slipway.toml expects?"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, say

PROFILES = {
    "smoke": "a few users for a few seconds",
    "expected": "a busy day",
    "stress": "up to four times of that",
    "soak": "a busy hour",
    "spike": "three times as much, at once",
    "storm": "every socket is lost and comes back",
}
"""Beside the shapes, so that completing a word in a shell reads no load test."""


def profiles_that_begin(incomplete: str) -> list[tuple[str, str]]:
    """For the shell's completion: name and purpose."""
    return [(name, purpose) for name, purpose in PROFILES.items() if name.startswith(incomplete)]


def load(
    stack: Stack = DEFAULT_STACK,
    profile: Annotated[
        str,
        typer.Option("--profile", "-p", help=f"{', '.join(PROFILES)}.", autocompletion=profiles_that_begin),
    ] = "expected",
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", help="How long; default: as slipway.toml or the profile says."),
    ] = None,
    arrivals: Annotated[
        float | None,
        typer.Option("--arrivals", help="Visits per second at scale 1."),
    ] = None,
    sockets: Annotated[int | None, typer.Option("--sockets", help="WebSockets open at scale 1.")] = None,
    processes: Annotated[
        int, typer.Option("--processes", min=1, help="Processes that send, on each machine.")
    ] = 1,
    workers: Annotated[
        str,
        typer.Option(
            "--workers",
            help="Machines that send: user@host:/clone,…; this one leads. Default: this one sends.",
        ),
    ] = "",
    ssh_config: Annotated[
        Path | None,
        typer.Option("--ssh-config", help="As ssh -F, for --workers.", exists=True, dir_okay=False),
    ] = None,
    web: Annotated[
        bool, typer.Option("--web", help="Locust's page on 127.0.0.1:8089 instead of starting at once.")
    ] = False,
    report_dir: Annotated[
        Path | None, typer.Option("--report-dir", help="Where reports go; default: .slipway/STACK/load.")
    ] = None,
    i_know: Annotated[bool, typer.Option("--i-know", help="Allow load on the stack prod.")] = False,
    json: Json = False,
) -> None:
    """Send the load of a profile, and judge what its users saw by the thresholds of slipway.toml.

    The scenarios are those of loadtests/, as for `locust -f loadtests/`. Arrivals are an open model: a frozen
    server cannot hide. Ctrl-C ends with the report so far. Credentials go to no command line.

    Ends with 0 if every threshold is met, 1 if one is missed, 2 for bad input, 5 without data, 6 if the
    generator was saturated or lost a worker, 7 if the target refused.

    Examples:
      slipway load
      slipway load --stack preview --profile stress --processes 4
      slipway load --stack preview --workers ci@10.0.0.5:/srv/board,ci@10.0.0.6:/srv/board --processes 2
      slipway load --profile smoke --json > load.json
    """
    from slipway.settings import open_project  # noqa: PLC0415
    from slipway.traffic.command import LoadOptions, run  # noqa: PLC0415
    from slipway.traffic.processes import worker_host  # noqa: PLC0415

    asked = LoadOptions(
        profile=profile,
        arrivals=arrivals,
        sockets=sockets,
        seconds=seconds,
        processes=processes,
        hosts=tuple(worker_host(each.strip(), ssh_config) for each in workers.split(",") if each.strip()),
        web=web,
        i_know=i_know,
        folder=report_dir,
    )
    done = run(open_project(stack), asked, output=sys.stderr)
    if json and done.document:
        emit_json(done.document)
    elif not json:
        for miss in done.misses:
            say(f"  {miss}")
        say(f"{stack}, {profile}: {done.meaning}")
        say(f"report: {done.report}")
    raise typer.Exit(int(done.code))
