"""Gets past a stale lock, and leaves none behind: only one whose owner is known to be dead is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi.automation import CommandError

from slipway.platforms.aws.pulumi.failures import locked
from slipway.platforms.aws.pulumi.lock import is_locked, is_ours_and_dead, may_break, read_locks
from slipway.progress import Progress

if TYPE_CHECKING:
    from pulumi.automation import Stack


def break_lock(stack: Stack, message: str, progress: Progress, *, named: str = "") -> None:
    """Remove the locks that the engine's `message` tells of, if they may be. LeaseHeld: they may not."""
    locks = read_locks(message)
    why = may_break(locks, named=named, is_ours_and_dead=is_ours_and_dead)
    if not why:
        raise locked(message)
    stack.cancel()
    owners = ", ".join(lock.owner for lock in locks)
    reason = "its process is dead" if why == "dead" else "as --break-lock says"
    progress.line(f"removed the lock of {owners}: {reason}")


def release_lock_of(stack: Stack, killed: int, progress: Progress) -> None:
    """Remove the lock that a killed engine left; does nothing if there is none, or it is another's."""
    message = _locked(stack)
    locks = read_locks(message)
    if locks and all(lock.pid == killed for lock in locks):
        break_lock(stack, message, progress)
    progress.line(f"the engine was killed: the next update looks at what it had done in {stack.name}")


def _locked(stack: Stack) -> str:
    """What the engine says of the locks; empty: there are none. To hear it, one must ask to change something:
    the refresh of a resource that does not exist."""
    none = f"urn:pulumi:{stack.name}::none::none:none:None::none"
    try:
        stack.refresh(target=[none], color="never")
    except CommandError as error:
        return str(error) if is_locked(str(error)) else ""
    return ""
