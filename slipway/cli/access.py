"""`slipway access …`: whose ssh keys sign in to a stack's hosts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, platform_of_stack, progress, say, table

if TYPE_CHECKING:
    from slipway.platforms.platform import Platform

app = typer.Typer(
    no_args_is_help=True, help="Keys of people and CI on the stack's hosts: grant, revoke, list."
)


@app.command("grant")
def grant(
    key: Annotated[str, typer.Argument(help="A public ssh key, or the path of a .pub file.")],
    name: Annotated[str, typer.Option("--name", help="Whose key it is: ana@laptop, ci.")],
    stack: Stack = DEFAULT_STACK,
    ci: Annotated[
        bool, typer.Option("--ci", help="Bind it to slipway-agent: releases and rollbacks, no shell.")
    ] = False,
    expires: Annotated[str, typer.Option(help="The last day on which it is good: 2027-12-31.")] = "",
) -> None:
    """Let an ssh key sign in to every host of the stack; with --ci, bound to what releases need.

    Examples:
      slipway access grant ~/.ssh/ana.pub --name ana@laptop --expires 2027-12-31 --stack prod
      slipway access grant ci.pub --name ci --ci --stack prod
    """
    from slipway.settings.access import new_grant  # noqa: PLC0415 - `slipway --help` needs none of it

    file = Path(key).expanduser()
    text = file.read_text() if len(key) < 256 and file.is_file() else key
    granted = new_grant(name, text, "ci" if ci else "person", expires)
    platform = platform_of_stack(stack)
    platform.access().grant(granted, progress(as_json=False))
    say(f"{granted.fingerprint} of {name} signs in to every host of {stack}")
    _say_where(platform)


@app.command("revoke")
def revoke(
    which: Annotated[str, typer.Argument(help="The name of a grant, or any key's fingerprint: SHA256:….")],
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Remove a key from every host, from the ssh user's own file as well, and end its sessions.

    Examples:
      slipway access revoke ana@laptop --stack prod
      slipway access revoke SHA256:uP5e0Yq0Wk9bQ1Yx1mY4p3mUuG0mB8m0oWcQmYwR3cE --stack prod
    """
    platform = platform_of_stack(stack)
    ended = platform.access().revoke(which, progress(as_json=False))
    say(
        f"{which} signs in to no host of {stack}; "
        f"{ended} open {'session was' if ended == 1 else 'sessions were'} ended"
    )
    _say_where(platform)


def _say_where(platform: Platform) -> None:
    if not platform.project.stack.facts.keeps_keys_here:
        say(f"commit secrets/{platform.project.stack.name}.age: who runs `slipway up` next goes by it")


@app.command("list")
def list_grants(stack: Stack = DEFAULT_STACK, json: Json = False) -> None:
    """List the granted keys. Keys on hosts that are not among them: slipway drift."""
    today = datetime.now(UTC).date()
    rows = [
        (
            each.name,
            each.kind,
            each.expires or "never",
            "over" if each.is_over(today) else "good",
            each.fingerprint,
        )
        for each in platform_of_stack(stack).access().granted()
    ]
    columns = ("name", "kind", "expires", "state", "fingerprint")
    if json:
        emit_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table([column.upper() for column in columns], rows)
