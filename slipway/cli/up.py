"""`slipway up`: bring a stack's fleet up, or bring it in line with its settings."""

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, platform_of_stack, progress, say, table


def up(
    stack: Stack = DEFAULT_STACK,
    break_lock: Annotated[
        str,
        typer.Option(
            "--break-lock", help="Owner of a lock that you know to be dead, as the refusal names it."
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Bring the fleet up: hosts, network, secrets the platform needs, every host set up for its role.

    Safe to repeat: what is as it should be is left alone. No release is started or stopped. On AWS the
    Pulumi program is previewed first, and nothing that holds data is destroyed without `slipway approve`.

    Examples:
      slipway up
      slipway up --stack prod --json
    """
    outputs = platform_of_stack(stack).bring_up(progress(as_json=json), break_lock=break_lock)
    if json:
        emit_json(outputs.model_dump(mode="json"))
        return
    table(
        ("HOST", "ROLE", "ADDRESS", "SSH"),
        ((h.name, h.role, h.address, f"{h.ssh_host}:{h.ssh_port}") for h in outputs.hosts),
    )
    say(f"\n{stack} is up: {outputs.url}")
    if outputs.ca_file:
        say(f"certificate authority: {outputs.ca_file}")
