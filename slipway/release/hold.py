"""Whether a release may begin on a stack that is held by a person, or since a rollback."""

import os

from slipway.release.rollout import Options
from slipway.settings import NeedsPerson
from slipway.stack import LiveStack
from slipway.storage.hold import Hold, read_holds


def is_automatic() -> bool:
    """Did a machine start this command? CI systems set CI=true; so should a scheduler of your own."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def refuse_held(stack: LiveStack, options: Options, build: str | None = None) -> None:
    """Raises NeedsPerson if the stack is held against this release. `build` None: it is not known yet."""
    holds = read_holds(stack.bucket, stack.outputs.stack)
    if holds.person is None and holds.rollback is None:
        return
    for hold in holds.standing(stack.ledger.head().live):
        if refusal := why_refused(hold, stack.name, options, build):
            raise refusal


def why_refused(hold: Hold, stack: str, options: Options, build: str | None) -> NeedsPerson | None:
    """The refusal of a release of `build` by a standing hold; None: it may go on.

    After a rollback a person may ship a fix, but the build that was taken back, and whatever a machine ships
    by itself, waits for a decision.
    """
    if hold.cause == "person":
        return NeedsPerson(
            f"stack {stack} is held {hold}",
            remedy=f"when releases may go on: slipway resume --stack {stack}",
        )
    if options.after_rollback:
        return None
    again = f"slipway release --stack {stack} --after-rollback, or slipway resume --stack {stack}"
    if build is not None and build == hold.build:
        return NeedsPerson(
            f"build {build} is the one of release {hold.gone}, which a rollback took back; "
            f"stack {stack} is held {hold}",
            remedy=f"ship a fix; or, if this build is good all the same: {again}",
        )
    if options.automatic:
        return NeedsPerson(
            f"automatic releases (CI=true) wait: stack {stack} is held {hold}",
            remedy=f"once the reason for the rollback is fixed: {again}",
        )
    return None
