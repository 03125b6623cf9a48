"""Phases: run one after the other and, when one fails or a person presses Ctrl-C, undone on every host."""

import signal
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from slipway.fleet.replies import Switched
from slipway.progress import Progress
from slipway.release.protocol import HostView, way_back, what_serves
from slipway.release.rollout import Phase, Rollout
from slipway.release.settle import Settled, look, settle
from slipway.settings import LeaseHeld, NeedsPerson, ReleaseFailed, SlipwayError
from slipway.storage.lease import LeaseLost, LeaseRecord, read_last_lease
from slipway.storage.records import Release, What

T = TypeVar("T")

NEWER_ENDS_SECONDS = 10.0
"""How long a pre-empted command waits for the end of the one that pre-empted it."""


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
    after an incomplete one, LeaseHeld if a newer command decides, and BadInput unchanged if nothing had been
    touched yet. What fails after the promotion is a warning: the release is live, and nothing is undone.
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
        rollout.next_order()
        began = time.monotonic()
        with rollout.progress.phase(phase.name):
            self._note(phase.name, "started")
            try:
                result = phase.run(rollout)
            except BaseException as failure:
                reason = rollout.redact(str(failure) or type(failure).__name__)
                self._note_if_possible(phase.name, "failed", {"reason": reason[:500]})
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
            came_from=self._record.gone or self._rollout.live,
            warm=warm,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if failure is None:
            return None
        rollout = self._rollout
        with _uninterrupted(rollout.progress):
            ends = isinstance(failure, LeaseLost | KeyboardInterrupt)
            taken = overtaken(rollout, failure) if ends else None
            if taken is None and any(phase.is_settled(rollout) for phase in self._begun):
                if not isinstance(failure, SlipwayError | KeyboardInterrupt):
                    return None
                rollout.warnings.append(self._cut_short(failure))
                return True
            outcome = taken or self._undo(failure)
        if outcome is failure:
            return None
        raise outcome from failure

    def _undo(self, failure: BaseException) -> BaseException:
        """Take back what the begun phases changed on hosts; returns what the person has to know.

        The record is closed only if every host says that nothing is left of it.
        """
        rollout, record = self._rollout, self._record
        changed = [phase for phase in reversed(self._begun) if phase.undoing]
        if record is None or not changed:
            if taken := overtaken(rollout, failure):
                return taken
            if record is not None:
                self._close(lambda: rollout.ledger.end(record.number, "failed"))
            return describe(failure, [], rollout)
        if taken := overtaken(rollout, failure):
            return taken
        with rollout.progress.phase("undo", ", ".join(phase.undoing for phase in changed)):
            settled = settle(rollout, way_back(record, rollout.live).goal)
        if not settled.is_complete:
            if taken := overtaken(rollout, failure, is_certain=settled.is_overtaken):
                return taken
            return _incomplete(failure, rollout, record, settled)
        for phase in changed:
            self._note_if_possible(phase.name, "undone")
        self._close(lambda: rollout.ledger.undo(record, rollout.live))
        return describe(failure, [phase.undoing for phase in changed], rollout, settled.views)

    def _close(self, write: Callable[[], object]) -> None:
        try:
            write()
        except SlipwayError as failure:  # the next command finds the record open, and closes it
            self._rollout.warnings.append(f"could not record the result in the ledger: {failure.message}")

    def _note_if_possible(self, phase: str, what: What, detail: Mapping[str, object] | None = None) -> None:
        """A failure to record what happened to hosts must not hide it from the person."""
        with suppress(SlipwayError):
            self._note(phase, what, detail)

    def _note(self, phase: str, what: What, detail: Mapping[str, object] | None = None) -> None:
        if self._record is not None:
            self._rollout.ledger.event(self._record.number, phase, what, detail)

    def _cut_short(self, failure: SlipwayError | KeyboardInterrupt) -> str:
        what = _reason(failure)
        release = _release(self._record) if self._record else self._rollout.live
        return f"{self._begun[-1].name} was cut short: {what}. Release {release} is live all the same"


def describe(
    failure: BaseException, undone: list[str], rollout: Rollout, views: Mapping[str, HostView] | None = None
) -> BaseException:
    """The failure as a person should read it: what failed, what was undone, and what serves now.

    `views`: what the hosts say now; None: they are asked.
    """
    is_failure = isinstance(failure, SlipwayError) and failure.exit_code == ReleaseFailed.exit_code
    if not (is_failure or isinstance(failure, KeyboardInterrupt)):
        return failure
    what = f"undone: {', '.join(undone)}. " if undone else ""
    outcome = what + serving_now(rollout, look(rollout)[0] if views is None else views)
    if not isinstance(failure, SlipwayError):
        return ReleaseFailed(f"{_reason(failure)}. {outcome}", details=rollout.warnings)
    # Log lines may be many: what the person has to know stands before them.
    details = [outcome, *rollout.warnings, *failure.details]
    return ReleaseFailed(failure.message, remedy=failure.remedy, details=details)


def serving_now(rollout: Rollout, views: Mapping[str, HostView]) -> str:
    """What serves at this moment, by the ledger and the hosts that answered."""
    try:
        live = rollout.ledger.head().live
    except SlipwayError as failure:
        return f"What the ledger names as live is not known: {failure.message}."
    silent = [host.name for host in rollout.hosts.all if host.name not in views]
    return what_serves(live, rollout.live, views, silent)


def overtaken(rollout: Rollout, failure: BaseException, *, is_certain: bool = False) -> LeaseHeld | None:
    """The error of a command that a newer one has overtaken; it undoes nothing: the newer one decides.

    None if no newer command has begun. An expired lease alone is no reason to leave hosts as they are: they
    refuse this command as soon as a newer one has begun. `is_certain`: a host has refused it already.
    """
    newer = _newer(rollout)
    if newer is None and not is_certain:
        return None
    who = f"{newer.owner} (`{newer.command}`)" if newer else "a newer command"
    has = "took" if newer and newer.released else "has taken"
    return LeaseHeld(
        f"pre-empted: {who} {has} over stack {rollout.stack.name}, and decides what serves",
        remedy=f"`slipway status --stack {rollout.stack.name}` says what serves",
        details=[serving_now(rollout, look(rollout)[0]), rollout.redact(_reason(failure))],
    )


@contextmanager
def noticing_preemption(rollout: Rollout) -> Generator[None]:
    """A failure inside that comes from a newer command's work is reported as that."""
    try:
        yield
    except SlipwayError as failure:
        if taken := overtaken(rollout, failure):
            raise taken from failure
        raise


def _newer(rollout: Rollout) -> LeaseRecord | None:
    """The lease of a newer command, which is given a moment to end, so that what serves then can be said."""
    until = time.monotonic() + NEWER_ENDS_SECONDS
    while True:
        try:
            found = read_last_lease(rollout.stack.bucket, rollout.outputs.stack)
        except SlipwayError:
            return None
        newer = found if found and found.fence > rollout.order.fence else None
        if newer is None or newer.released or time.monotonic() >= until:
            return newer
        time.sleep(0.1)


def _incomplete(failure: BaseException, rollout: Rollout, record: Release, settled: Settled) -> NeedsPerson:
    what = rollout.redact(_reason(failure))
    kind = "the rollback" if record.kind == "rollback" else "release"
    views = {**look(rollout)[0], **settled.views}
    return NeedsPerson(
        f"{kind} {record.number} failed ({what}), and could not be undone on {', '.join(settled.failures)}",
        remedy=settled.remedy(rollout.stack.name),
        details=[serving_now(rollout, views), *settled.reasons(rollout), *rollout.warnings],
    )


def _reason(failure: BaseException) -> str:
    """The failure in words; Ctrl-C has none of its own."""
    by_itself = "interrupted" if isinstance(failure, KeyboardInterrupt) else type(failure).__name__
    return str(failure) or by_itself


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
