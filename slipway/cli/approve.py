"""`slipway approve`: allow one plan to destroy what holds data."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from slipway.cli.console import Json, Stack, emit_json, platform_of_stack, progress, say
from slipway.settings import BadInput

LONGEST = timedelta(hours=24)
_DURATION = re.compile(r"^(\d+)\s*(m|h)$")


def approve(
    stack: Stack,
    urns: Annotated[list[str], typer.Argument(help="What may be destroyed, by its URN.")],
    reason: Annotated[str, typer.Option("--reason", help="Why. It is kept with the approval.")],
    lasts: Annotated[str, typer.Option("--for", help="How long it holds: 30m, 2h; at most 24h.")] = "2h",
    json: Json = False,
) -> None:
    """Sign for the replacement or deletion of a database, Redis, bucket, key or secret by the next `up`.

    Previews the plan and ties the approval to it: if anything in the plan changes, it does not count. The
    key is ~/.config/slipway/approval_ed25519 or that in SLIPWAY_APPROVAL_KEY; whose keys count is said in
    the committed file `approvers`.

    Examples:
      slipway approve --stack prod 'urn:pulumi:prod::board::…::database' --reason "moved to the new region"
    """
    holds = duration(lasts)
    approved = platform_of_stack(stack).approve(
        urns, lasts=holds, reason=reason, progress=progress(as_json=json)
    )
    if json:
        emit_json({"file": str(approved.file), **approved.document})
        return
    say(f"approved by {approved.approved_by} until {approved.expires_at:%Y-%m-%d %H:%M} UTC: {approved.file}")
    say("commit it, or copy it to where the update runs; then `slipway up` goes on")


def duration(text: str) -> timedelta:
    """`30m`, `2h`. BadInput: anything else, or more than a day."""
    found = _DURATION.match(text.strip())
    lasts = timedelta(**{{"m": "minutes", "h": "hours"}[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < lasts <= LONGEST:
        raise BadInput(
            f'--for {text}: must be a number of minutes or hours, at most 24h, got "{text}"',
            remedy="--for 2h, or --for 30m",
        )
    return lasts
