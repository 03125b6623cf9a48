"""The hold: while one stands, `slipway release` is refused. A person sets one, and so does every rollback.

Both are kept in one object for each stack, beside the head: a person may hold a stack while a release runs.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from slipway.storage.bucket import Bucket, Conflict, Damaged
from slipway.storage.records import Stored

Cause = Literal["person", "rollback"]


class Hold(Stored):
    """Why a stack is held, by whom and since when."""

    cause: Cause
    by: str
    since: datetime
    reason: str = ""
    """As the person wrote it."""
    record: int | None = None
    """The rollback's number in the ledger."""
    target: int | None = None
    """The release that the rollback returned to."""
    gone: int | None = None
    """The release that the rollback took out of service."""
    build: str = ""
    """The build of that release."""
    lifted_by: str = ""
    """Empty while the hold stands."""

    def stands(self, live: int | None) -> bool:
        """Does it hold the stack? After a rollback only while its target is live (`live`: by the head)."""
        return not self.lifted_by and (self.cause == "person" or self.target == live)

    def __str__(self) -> str:
        since = f"by {self.by} since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        if self.cause == "person":
            return f"{since}{': ' if self.reason else ''}{self.reason}"
        return f"{since}: after the rollback from release {self.gone} to release {self.target}"


class Holds(Stored):
    """The newest hold of each cause, standing or lifted."""

    person: Hold | None = None
    rollback: Hold | None = None

    def standing(self, live: int | None) -> list[Hold]:
        """Those that hold the stack now; `live` is the release that the head names."""
        return [hold for hold in (self.person, self.rollback) if hold and hold.stands(live)]


def hold_key(stack: str) -> str:
    """Key of a stack's holds in the builds bucket."""
    return f"stacks/{stack}/hold.json"


def read_holds(bucket: Bucket, stack: str) -> Holds:
    """The stack's holds; empty if it never had one."""
    found = bucket.get_json(hold_key(stack))
    return Holds.read(hold_key(stack), found[0]) if found else Holds()


def hold(bucket: Bucket, stack: str, by: str, reason: str) -> Hold:
    """Hold the stack until it is resumed. One that a person set earlier is replaced."""
    held = Hold(cause="person", by=by, since=_now(bucket), reason=reason)
    _change(bucket, stack, lambda holds: holds.model_copy(update={"person": held}))
    return held


def hold_after_rollback(bucket: Bucket, stack: str, held: Hold) -> None:
    """Hold the stack by a rollback. Safe to repeat: one that was lifted stays lifted."""

    def change(holds: Holds) -> Holds:
        known = holds.rollback.record if holds.rollback else None
        is_known = known is not None and held.record is not None and held.record <= known
        return holds if is_known else holds.model_copy(update={"rollback": held})

    # A damaged object refuses releases as it is: a rollback must not fail because of it.
    with suppress(Damaged):
        _change(bucket, stack, change)


def resume(bucket: Bucket, stack: str, by: str, live: int | None) -> list[Hold]:
    """Lift every hold that stands; returns them as they were."""
    lifted: list[Hold] = []

    def change(holds: Holds) -> Holds:
        lifted[:] = holds.standing(live)
        return holds.model_copy(
            update={each.cause: each.model_copy(update={"lifted_by": by}) for each in lifted}
        )

    _change(bucket, stack, change)
    return lifted


def _change(bucket: Bucket, stack: str, change: Callable[[Holds], Holds]) -> None:
    """Replace the object by one conditional write; nothing is written if `change` changes nothing."""
    key = hold_key(stack)
    while True:
        found = bucket.get_json(key)
        holds = Holds.read(key, found[0]) if found else Holds()
        changed = change(holds)
        if changed == holds:
            return
        etag = found[1] if found else None
        try:
            bucket.put_json(key, changed.model_dump(mode="json"), if_match=etag, if_none_match=etag is None)
        except Conflict:
            continue
        return


def _now(bucket: Bucket) -> datetime:
    return datetime.fromtimestamp(bucket.server_time(), UTC)
