"""`slipway hold` and `slipway resume`: no release to a stack for a while, and again."""

from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, live_stack, say


def hold(
    stack: Stack = DEFAULT_STACK,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown to all who are refused.")] = "",
    json: Json = False,
) -> None:
    """Hold a stack: every release to it is refused until slipway resume.

    A release that runs already goes on until it would be published, and is refused there; one that is
    published goes on. Rollbacks are never refused, and each holds its stack too: the build that it took back
    and every automatic release (CI=true) wait for slipway resume, or slipway release --after-rollback.

    Examples:
      slipway hold --stack prod --reason "no releases before the holidays"
      slipway hold --stack preview
    """
    from slipway.storage.hold import hold as hold_stack  # noqa: PLC0415
    from slipway.storage.lease import current_actor  # noqa: PLC0415

    live = live_stack(stack)
    held = hold_stack(live.bucket, live.outputs.stack, current_actor(), live.redact(reason))
    if json:
        emit_json({"stack": stack, **held.model_dump(mode="json", include={"by", "since", "reason"})})
        return
    say(f"stack {stack} is held {held}")
    say(f"end it: slipway resume --stack {stack}")


def resume(stack: Stack = DEFAULT_STACK, json: Json = False) -> None:
    """Let releases to a stack go on, whether a person holds it or a rollback does.

    Examples:
      slipway resume --stack prod
    """
    from slipway.storage.hold import resume as resume_stack  # noqa: PLC0415
    from slipway.storage.lease import current_actor  # noqa: PLC0415

    live = live_stack(stack)
    lifted = resume_stack(live.bucket, live.outputs.stack, current_actor(), live.ledger.head().live)
    if json:
        lines = [each.model_dump(mode="json", exclude={"lifted_by"}) for each in lifted]
        emit_json({"stack": stack, "lifted": lines})
        return
    for each in lifted:
        say(f"stack {stack} is no longer held; it was {each}")
    if not lifted:
        say(f"stack {stack} is not held")
