"""`slipway down`: take a fleet down."""

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, platform_of_stack, progress, say


def down(
    stack: Stack = DEFAULT_STACK,
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Delete the data too: databases, buckets, backups.")
    ] = False,
    json: Json = False,
) -> None:
    """Take a local fleet, or a stack on AWS that is not production, down.

    Data of a local fleet stays for the next `up`, unless --volumes is given. On AWS everything goes.

    Examples:
      slipway down --stack local
      slipway down --stack preview --volumes
      slipway down --stack local --volumes
    """
    platform_of_stack(stack).take_down(progress(as_json=json), volumes=volumes)
    if json:
        emit_json({"stack": stack, "down": True, "volumes_deleted": volumes})
    else:
        say(f"{stack} is down" + (" and its data is deleted" if volumes else "; its data is kept"))
