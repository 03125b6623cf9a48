"""`slipway check`: prove on the live stack that it keeps the promises of the production checklist."""

import sys
from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack


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
    json: Json = False,
) -> None:
    """Prove that the live stack keeps the promises of the production checklist.

    The same as `pytest checks/ --stack STACK`. Safe on prod: checks that would disturb users run only with
    --invasive. Reports (HTML, JSON, JUnit) go to .slipway/STACK/checks. Exit code 0: all that ran
    passed or is waived; 1: a check failed; 2: bad input; 5: nothing failed, but something could not be tried,
    or nothing passed.

    [dim]Examples:[/]
      slipway check
      slipway check --stack prod --severity high
      slipway check --only X1 --only I4/redis-survives-a-restart
      slipway check --host web1 --json > checks.json
    """
    from slipway.checking import run  # noqa: PLC0415
    from slipway.cli.console import emit_json  # noqa: PLC0415
    from slipway.settings import BadInput, open_project  # noqa: PLC0415

    if severity not in ("critical", "high", "medium", "low"):
        raise BadInput(
            f"--severity: {severity!r} is not a severity", remedy="use one of critical, high, medium, low"
        )
    checked = run(
        open_project(stack),
        only=only or (),
        severity=severity,
        hosts=host or (),
        invasive=invasive,
        deep=deep,
        output=sys.stderr if json else None,
    )
    if json and checked.document:
        emit_json(checked.document)
    raise typer.Exit(checked.code)
