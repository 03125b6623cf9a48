"""Phases: run one after the other and, when one fails or a person presses Ctrl-C, undone in reverse."""

import signal
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from slipway.fleet.replies import Switched
from slipway.progress import Progress
from slipway.release.rollout import Phase, Rollout
from slipway.settings import NeedsPerson, ReleaseFailed, SlipwayError
from slipway.storage.records import Release, What

T = TypeVar("T")


@dataclass(frozen=True)
class Report:
    """What a release or a rollback did. Times are in seconds; `switched_ms` is each web host's own time."""

    release: int
    build: str
    url: str
    seconds: float
    phases: dict[str, float]
    switched_ms: dict[str, float]
    warnings: list[str]
    came_from: int | None
    """The release that served before."""
    warm: bool | None = None
    """For a rollback: was the target's slot warm on every host, or was it booted again?"""

    def as_json(self) -> dict[str, object]:
        """For `--json`; `from` is the release that served before."""
        document = asdict(self)
        document["from"] = document.pop("came_from")
        if self.warm is None:
            del document["warm"]
        return document


class Phases:
    """The phases of one command. Use it in a `with`: what fails inside is undone, unless it is settled.

    On failure the `with` raises ReleaseFailed after a complete undo (the fleet is as it was), NeedsPerson
    after an incomplete one, and BadInput unchanged if nothing had been touched yet. What fails after the
    promotion is a warning: the release is live, and nothing is undone.
    """

    def __init__(self, rollout: Rollout, record: Release | None = None) -> None:
        self._rollout = rollout
        self._record = record
        """The ledger's record of this command: the release itself, or the rollback to it."""
        self._seconds: dict[str, float] = {}
        self._begun: list[Phase[Any]] = []

    def run(self, phase: Phase[T]) -> T:
        """Run a phase; its start and end go to the ledger once the command has a record there."""
        rollout = self._rollout
        if phase.touches_fleet:
            rollout.lease.check()
        self._begun.append(phase)
        began = time.monotonic()
        with rollout.progress.phase(phase.name):
            self._note(phase.name, "started")
            try:
                result = phase.run(rollout)
            except BaseException as failure:
                reason = rollout.redact(str(failure) or type(failure).__name__)
                # The person must hear of this failure, not of one in recording it.
                with suppress(SlipwayError):
                    self._note(phase.name, "failed", {"reason": reason[:500]})
                raise
            self._record = phase.opened(result) or self._record
            self._note(phase.name, "done", phase.detail(result))
        self._seconds[phase.name] = round(time.monotonic() - began, 3)
        return result

    def report(self, switched: Mapping[str, Switched], seconds: float, *, warm: bool | None = None) -> Report:
        """What the command did. `switched`: what each web host replied; `seconds`: the whole command."""
        if self._record is None:
            raise RuntimeError("a command without a record in the ledger has nothing to report")
        return Report(
            release=_release(self._record),
            build=self._record.build,
            url=self._rollout.outputs.url,
            seconds=round(seconds, 3),
            phases=self._seconds,
            switched_ms={name: reply.switched_ms for name, reply in switched.items()},
            warnings=self._rollout.warnings,
            came_from=self._rollout.live,
            warm=warm,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if failure is None:
            return None
        with _uninterrupted(self._rollout.progress):
            if any(phase.is_settled(self._rollout) for phase in self._begun):
                if not isinstance(failure, SlipwayError | KeyboardInterrupt):
                    return None
                self._rollout.warnings.append(self._cut_short(failure))
                return True
            undone = self._undo()
        outcome = describe(failure, undone, self._rollout.live, self._rollout.warnings)
        if outcome is failure:
            return None
        raise outcome from failure

    def _undo(self) -> list[str]:
        """Undo in reverse what had begun; every undo is tried, and the worst failure is raised at the end."""
        rollout = self._rollout
        undone: list[str] = []
        worst: SlipwayError | None = None
        for phase in reversed(self._begun):
            if type(phase).undo is Phase[Any].undo:
                continue
            try:
                with rollout.progress.phase("undo", phase.name):
                    phase.undo(rollout)
                undone.append(phase.undoing or phase.name)
                self._note(phase.name, "undone")
            except SlipwayError as failure:
                if worst is None or failure.exit_code > worst.exit_code:
                    worst = failure
                rollout.warnings.append(f"undoing {phase.name}: {failure.message}")
        if isinstance(worst, NeedsPerson):
            raise worst
        if self._record is not None:
            try:
                rollout.ledger.end(self._record.number, "undone" if undone else "failed")
            except SlipwayError as failure:  # the next command finds the record open, and closes it
                rollout.warnings.append(f"could not record the result in the ledger: {failure.message}")
        return undone

    def _note(self, phase: str, what: What, detail: Mapping[str, object] | None = None) -> None:
        if self._record is not None:
            self._rollout.ledger.event(self._record.number, phase, what, detail)

    def _cut_short(self, failure: SlipwayError | KeyboardInterrupt) -> str:
        what = failure.message if isinstance(failure, SlipwayError) else "interrupted"
        release = _release(self._record) if self._record else self._rollout.live
        return f"{self._begun[-1].name} was cut short: {what}. Release {release} is live all the same"


def describe(
    failure: BaseException, undone: list[str], live: int | None, warnings: list[str]
) -> BaseException:
    """The failure as a person should read it: what failed, what was undone, and what serves now."""
    what = f"undone: {', '.join(undone)}. " if undone else ""
    serving = f"Release {live} serves as before." if live else "The stack serves nothing, as before."
    if isinstance(failure, KeyboardInterrupt):
        return ReleaseFailed(f"interrupted. {what}{serving}")
    if isinstance(failure, SlipwayError) and failure.exit_code == ReleaseFailed.exit_code:
        notes = [f"{what}{serving}", *warnings]
        return ReleaseFailed(failure.message, remedy=failure.remedy, details=[*failure.details, *notes])
    return failure


def _release(record: Release) -> int:
    """The release that a record puts live: its own, or a rollback's target."""
    return record.target or record.number


@contextmanager
def _uninterrupted(progress: Progress) -> Generator[None]:
    """While undoing, a further Ctrl-C only prints that the undo is under way."""

    def say(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        progress.line("already undoing; this takes a moment")

    before = {number: signal.signal(number, say) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
