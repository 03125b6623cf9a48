"""`slipway verify`: who signed a release, from which commit, with which SBOM."""

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, live_stack, say


def verify(
    release: Annotated[
        int | None, typer.Argument(help="Number of the record; default: the one that decided what serves.")
    ] = None,
    stack: Stack = DEFAULT_STACK,
    json: Json = False,
) -> None:
    """Check a release's signature, manifest and SBOM against the stack's signers, without asking any host.

    Examples:
      slipway verify
      slipway verify 12 --stack prod --json
    """
    from slipway.release.verify import refuse, verify as look  # noqa: PLC0415

    found = look(live_stack(stack), release)
    if json:
        emit_json(found.as_json())
    else:
        of = f" by rollback {found.record}" if found.record != found.release else ""
        say(f"release {found.release}{of}, build {found.build}")
        by = found.signer or "no one"
        say(f"signed by {by} at {found.signed_at} UTC for {found.stack}, fence {found.fence}")
        commit = f"commit {found.commit} ({found.subject})" if found.commit else "a source outside of git"
        say(f"made from {commit}{', with uncommitted changes' if found.dirty else ''}")
        if found.promoted:
            say(f"promoted from {found.promoted}")
        say(f"SBOM {found.sbom}: {found.packages} packages; layers: {', '.join(found.layers)}")
    refuse(found)
    if not json:
        say("signature, manifest and SBOM hold")
