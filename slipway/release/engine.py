"""The engine: runs phases in order and, when one fails or a person presses Ctrl-C, undoes them in reverse."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from types import FrameType

from slipway.release.phase import Phase
from slipway.release.promoted import is_promoted
from slipway.release.rollout import Rollout
from slipway.settings.errors import NeedsPerson, ReleaseFailed, SlipwayError


def execute(rollout: Rollout, phases: Sequence[Phase]) -> dict[str, float]:
    """Run the phases; returns how long each took, in seconds.

    Raises ReleaseFailed after a complete undo (the fleet is as it was), NeedsPerson after an incomplete one,
    and BadInput unchanged when nothing had been touched yet. What fails once the release is promoted is a
    warning: it is live, and nothing is undone.
    """
    seconds: dict[str, float] = {}
    begun: list[Phase] = []
    try:
        for phase in phases:
            if phase.touches_fleet:
                rollout.lease.check()
            begun.append(phase)
            began = time.monotonic()
            with rollout.progress.phase(phase.name), rollout.recorded(phase.name):
                phase.run(rollout)
            seconds[phase.name] = round(time.monotonic() - began, 3)
    except BaseException as failure:
        with _uninterrupted(rollout):
            if is_promoted(rollout):
                if not isinstance(failure, SlipwayError | KeyboardInterrupt):
                    raise
                rollout.warnings.append(_cut_short(rollout, failure, begun[-1]))
                return seconds
            undone = undo(rollout, begun)
        raise _told(rollout, failure, undone) from failure
    return seconds


def undo(rollout: Rollout, begun: Sequence[Phase]) -> list[str]:
    """Undo in reverse what had begun; every undo is tried, and the worst failure is raised at the end."""
    undone: list[str] = []
    worst: SlipwayError | None = None
    for phase in reversed(begun):
        if type(phase).undo is Phase.undo:
            continue
        try:
            with rollout.progress.phase("undo", phase.name):
                phase.undo(rollout)
            undone.append(phase.undoing or phase.name)
            rollout.note(phase.name, "undone")
        except SlipwayError as failure:
            if worst is None or failure.exit_code > worst.exit_code:
                worst = failure
            rollout.warnings.append(f"undoing {phase.name}: {failure.message}")
    if isinstance(worst, NeedsPerson):
        raise worst
    if rollout.record is not None:
        try:
            rollout.ledger.end(rollout.record.number, "undone" if undone else "failed")
        except SlipwayError as failure:  # the next command finds the record open, and closes it
            rollout.warnings.append(f"the ledger could not be told: {failure.message}")
    return undone


def _cut_short(rollout: Rollout, failure: SlipwayError | KeyboardInterrupt, phase: Phase) -> str:
    what = failure.message if isinstance(failure, SlipwayError) else "interrupted"
    return f"{phase.name} was cut short: {what}. Release {rollout.number} is live all the same"


def _told(rollout: Rollout, failure: BaseException, undone: list[str]) -> BaseException:
    """The failure as the person should read it: what failed, and that the fleet is as it was."""
    what = f"undone: {', '.join(undone)}. " if undone else ""
    serving = (
        f"Release {rollout.live} serves as before."
        if rollout.live
        else "The stack serves nothing, as before."
    )
    if isinstance(failure, KeyboardInterrupt):
        return ReleaseFailed(f"interrupted. {what}{serving}")
    if isinstance(failure, SlipwayError) and failure.exit_code == ReleaseFailed.exit_code:
        notes = [f"{what}{serving}", *rollout.warnings]
        return ReleaseFailed(failure.message, remedy=failure.remedy, details=[*failure.details, *notes])
    return failure


@contextmanager
def _uninterrupted(rollout: Rollout) -> Generator[None]:
    """While undoing, a further Ctrl-C only says that the work of the first one is under way."""

    def say(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        rollout.progress.line("already undoing; this takes a moment")

    before = {number: signal.signal(number, say) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
