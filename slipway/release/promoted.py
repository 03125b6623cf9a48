"""Is the release a fact? Once the head has moved nothing is undone: the next command finds it live."""

from __future__ import annotations

from collections.abc import Callable

from slipway.release.keep_documents import keep_boot_documents
from slipway.release.rollout import Rollout
from slipway.settings.errors import NeedsPerson, SlipwayError
from slipway.storage.records import Head, Release


def move_head(rollout: Rollout, release: Release | None, move: Callable[[], Head]) -> None:
    """Tell new hosts what to start, then move the head; if that did not move, new hosts are told back.

    They are told first: one that starts now must not come up with the release before.
    """
    keep_boot_documents(rollout, release)
    rollout.promoting = True
    try:
        rollout.head = move()
    except BaseException:
        if not is_promoted(rollout):
            _tell_back(rollout)
        raise


def is_promoted(rollout: Rollout) -> bool:
    """Does the head name this command's release? NeedsPerson: it may, and cannot be asked.

    A move may have been carried out though its answer was lost, or a person pressed Ctrl-C just then.
    """
    if not rollout.promoting:
        return False
    if rollout.live != rollout.number:
        try:
            head = rollout.ledger.head()
        except SlipwayError as failure:
            raise NeedsPerson(
                f"it is not known whether release {rollout.number} was promoted; it serves as it is",
                remedy="when the bucket answers again, run the command again: it finishes or undoes this one",
                details=[failure.message, *failure.details],
            ) from failure
        if head.live == rollout.number:
            rollout.head = head
    return rollout.live == rollout.number


def _tell_back(rollout: Rollout) -> None:
    try:
        keep_boot_documents(rollout, rollout.ledger.get(rollout.live) if rollout.live else None)
    except SlipwayError as failure:
        rollout.warnings.append(f"new hosts may start release {rollout.number}: {failure.message}")
