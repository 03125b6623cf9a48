"""`slipway image`: machine images from which new hosts start without a package mirror."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from slipway.cli.console import Json, Stack, emit_json, platform_of_stack, progress, say, table

app = typer.Typer(help="Machine images of hosts that come and go (AWS).", no_args_is_help=True)

DEFAULT_STACK = "prod"
_FOR = typer.Option(metavar="ROLE", help="web or worker; without it, both.")


@app.command()
def bake(
    stack: Stack = DEFAULT_STACK,
    role: Annotated[str, _FOR] = "",
    again: Annotated[
        bool, typer.Option("--again", help="Also if there is an image of this set-up already.")
    ] = False,
    json: Json = False,
) -> None:
    """Set a machine up as a new host would be, and make an image of it.

    An instance in the stack's private subnet, without a role and without rights, runs the kit that `up` has
    published. Keys, logs and all else that is its own are taken off; then it switches itself off, is imaged,
    encrypted with the stack's key, and terminated. Ctrl-C terminates it too. A set-up that has an image
    already is not baked again.

    With `slipway:aws.image: baked` new hosts boot the newest image of their role: they install no package,
    and start while Debian's mirror is away.

    Examples:
      slipway image bake --stack prod
      slipway image bake --stack prod --role web --again --json
    """
    from slipway.settings import BadInput, Interrupted  # noqa: PLC0415
    from slipway.settings.aws_names import HOST_ROLES  # noqa: PLC0415

    if role and role not in HOST_ROLES:
        raise BadInput(f'there are no hosts of role "{role}" to bake', remedy="--role web, or --role worker")
    images, shown = platform_of_stack(stack).images(), progress(as_json=json)
    try:
        made = [images.bake(each, shown, again=again) for each in HOST_ROLES if role in ("", each)]
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted: what was being made was ended, as said above",
            remedy=f"slipway image bake --stack {stack} begins again; slipway image list shows what is there",
        ) from None
    if json:
        emit_json({"images": [asdict(each) for each in made]})
        return
    for image in made:
        of = f"{image.role} hosts, {image.architecture}, Debian {image.debian}"
        say(f"{image.id}: {of}, set-up {image.setup}")
    say(f"next: slipway:aws.image: baked in Pulumi.{stack}.yaml, then slipway up --stack {stack}")


@app.command("list")
def list_(stack: Stack = DEFAULT_STACK, json: Json = False) -> None:
    """List the images: role, Debian, set-up, and who boots them.

    Examples:
      slipway image list --stack prod
      slipway image list --stack prod --json
    """
    found = platform_of_stack(stack).images().found()
    if json:
        emit_json({"images": [asdict(each) for each in found]})
        return
    if not found:
        say(f"stack {stack} has no images: slipway image bake --stack {stack}")
        return
    table(
        ("IMAGE", "ROLE", "PROCESSOR", "DEBIAN", "SET-UP", "MADE", "STATE", "NEW HOSTS", "HOSTS"),
        [
            (
                *(each.id, each.role, each.architecture, each.debian, each.setup, each.made, each.state),
                *("yes" if each.named else "", str(each.hosts)),
            )
            for each in found
        ],
    )


@app.command()
def prune(
    stack: Stack = DEFAULT_STACK,
    keep: Annotated[int, typer.Option(min=1, help="How many of each role stay, the newest.")] = 2,
    json: Json = False,
) -> None:
    """Delete old images and their snapshots, and instances that a killed bake left.

    Images that new hosts boot or that hosts were booted from stay.

    Examples:
      slipway image prune --stack prod
      slipway image prune --stack prod --keep 1 --json
    """
    gone = platform_of_stack(stack).images().prune(keep, progress(as_json=json))
    if json:
        emit_json({"deleted": gone})
    else:
        say(f"deleted {len(gone)} images" if gone else "there was nothing to delete")
