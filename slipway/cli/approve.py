"""`slipway approve`: allow one plan to destroy what holds data."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.console import Json, Stack, emit_json, progress, say


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

    [dim]Examples:[/]
      slipway approve --stack prod 'urn:pulumi:prod::board::…::database' --reason "moved to the new region"
    """
    from slipway.platforms.pulumi.approve import approve as sign_for  # noqa: PLC0415
    from slipway.platforms.pulumi.approve import duration  # noqa: PLC0415
    from slipway.settings.project import open_project  # noqa: PLC0415

    holds = duration(lasts)
    path, approval = sign_for(
        open_project(stack), urns, lasts=holds, reason=reason, progress=progress(as_json=json)
    )
    if json:
        emit_json({"file": str(path), **approval.model_dump(mode="json")})
        return
    say(f"approved by {approval.approved_by} until {approval.expires_at:%Y-%m-%d %H:%M} UTC: {path}")
    say("commit it, or copy it to where the update runs; then `slipway up` goes on")
