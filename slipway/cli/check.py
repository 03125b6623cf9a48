"""`slipway check`: prove on the live stack that it keeps the promises of the production checklist."""

import subprocess
import sys
import time
from functools import partial
from typing import IO, Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json


def check(
    stack: Stack = DEFAULT_STACK,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="A row of the checklist or a check: X1, X1/hsts-…; may be repeated."),
    ] = None,
    severity: Annotated[
        str,
        typer.Option("--severity", help="Only this severity and worse: low, medium, high, critical."),
    ] = "low",
    host: Annotated[
        list[str] | None, typer.Option("--host", help="Only the checks on this host; may be repeated.")
    ] = None,
    invasive: Annotated[
        bool, typer.Option("--invasive", help="Also run the checks that would disturb users.")
    ] = False,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="Also run checks that take long or send very many requests; in production with --invasive.",
        ),
    ] = False,
    since_release: Annotated[
        bool,
        typer.Option(
            "--since-release",
            help="Failures that the last run on an earlier release had too do not count.",
        ),
    ] = False,
    patience: Annotated[
        float | None,
        typer.Option("--patience", help="Longest wait of one check, in seconds.", min=0, show_default="15"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", help="Of the random requests of --deep, as a failure names it: sends them again."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Run again and again, and print what changes; Ctrl-C ends it.")
    ] = False,
    every: Annotated[
        int, typer.Option("--every", help="Seconds between two runs of --watch.", min=5, max=86_400)
    ] = 60,
    json: Json = False,
) -> None:
    """Prove that the live stack keeps the promises of the production checklist.

    The same as `pytest checks/ --stack STACK`. Safe on prod: checks that would disturb users run only with
    --invasive. Reports (HTML, JSON, JUnit, SARIF) go to .slipway/STACK/checks. Exit code 0: all that ran
    passed or is waived; 1: a check failed; 2: bad input; 5: nothing failed, but something could not be tried,
    or nothing passed.

    Examples:
      slipway check
      slipway check --stack prod --severity high
      slipway check --only X1 --only I4/redis-survives-a-restart
      slipway check --host web1 --json > checks.json
      slipway check --deep --only P10/random --seed 4711
      slipway check --watch --every 30
      slipway check --stack prod --since-release
    """
    from slipway.checking import (  # noqa: PLC0415
        Checked,
        run,
        watch as run_again,
    )
    from slipway.settings import BadInput, open_project  # noqa: PLC0415

    if severity not in ("critical", "high", "medium", "low"):
        raise BadInput(
            f"--severity: {severity!r} is not a severity", remedy="use one of critical, high, medium, low"
        )
    if watch and json:
        raise BadInput("--watch prints what changes, not JSON", remedy="leave out --json")
    project = open_project(stack)

    def once(output: int | IO[str] | None) -> Checked:
        return run(
            project,
            only=only or (),
            severity=severity,
            hosts=host or (),
            invasive=invasive,
            deep=deep,
            since_release=since_release,
            patience=patience,
            seed=seed,
            output=output,
        )

    if watch:
        again = partial(once, subprocess.DEVNULL)
        raise typer.Exit(run_again(again, every, typer.echo, pause=time.sleep))
    checked = once(sys.stderr if json else None)
    if json and checked.document:
        emit_json(checked.document)
    raise typer.Exit(checked.code)
