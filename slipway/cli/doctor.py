"""`slipway doctor`: what is right and wrong with this machine and a stack, and what to do about it."""

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, table


def doctor(stack: Stack = DEFAULT_STACK, json: Json = False) -> None:
    """Look at everything a release needs: Docker, ports, keys, settings, secrets, hosts, certificate, lease.

    Changes nothing. Ends with exit code 1 if something would stop a release.

    Examples:
      slipway doctor
      slipway doctor --stack prod --json
    """
    from slipway.doctor import examine  # noqa: PLC0415

    findings = examine(stack)
    if json:
        emit_json([{"level": f.level, "what": f.what, "remedy": f.remedy} for f in findings])
    else:
        table(("", "WHAT", "REMEDY"), ((f.level, f.what, f.remedy) for f in findings))
    raise typer.Exit(1 if any(f.level == "fail" for f in findings) else 0)
