"""`slipway drift`: what in the cloud is not as the last update left it."""

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from slipway.cli.console import Json, Stack, emit_json, platform_of_stack, progress, say, table
from slipway.settings import NeedsPerson


def drift(
    stack: Stack,
    at_least: Annotated[
        Literal["low", "medium", "high"],
        typer.Option("--at-least", help="Milder differences are listed but end with exit code 0."),
    ] = "medium",
    json: Json = False,
) -> None:
    """Compare every resource in the cloud with what the last update left; changes nothing.

    Ends with exit code 4 if something differs: a person has to decide whether `slipway up` takes it back or
    the program takes it over.

    Examples:
      slipway drift --stack prod
      slipway drift --stack prod --at-least high --json
    """
    from slipway.platforms.platform import SEVERITIES  # noqa: PLC0415

    found = platform_of_stack(stack).drift(progress(as_json=json))
    serious = [each for each in found if SEVERITIES.index(each.severity) <= SEVERITIES.index(at_least)]
    if json:
        emit_json({"stack": stack, "drift": bool(serious), "differences": [asdict(each) for each in found]})
    elif found:
        table(
            ("SEVERITY", "RESOURCE", "PROPERTY", "WAS", "IS", "WHY"),
            ((d.severity, d.name, d.path or "(all)", d.was, d.found, d.why) for d in found),
            title=f"{stack} is not as the last update left it",
        )
    else:
        say(f"{stack} is as the last update left it")
    if serious:
        raise typer.Exit(NeedsPerson.exit_code)
