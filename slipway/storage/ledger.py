"""The ledger: the append-only record of a stack's releases, and its head.

Every write checks the lease first and carries its fence. A command may be killed between any two writes; it
then leaves a record that has not ended (`unfinished`) and a head that still names what served before.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, cast

from slipway.storage.bucket import Bucket, Conflict
from slipway.storage.hold import Hold, hold_after_rollback
from slipway.storage.lease import Lease, LeaseLost, current_actor
from slipway.storage.reading import Reading
from slipway.storage.records import END, ROLLBACK, Event, Head, Kind, Progress, Release, What


class Ledger(Reading):
    """One stack's ledger. Writing needs the lease; `redact` removes secret values from recorded details.

    `sign` signs a new record; without it hosts refuse what the record decides.
    """

    def __init__(
        self,
        bucket: Bucket,
        stack: str,
        *,
        lease: Lease | None = None,
        actor: str = "",
        redact: Callable[[str], str] = str,
        sign: Callable[[Release], Release] | None = None,
    ) -> None:
        super().__init__(bucket, stack)
        self.lease = lease
        self._actor, self._redact, self._sign = actor or current_actor(), redact, sign
        self._lock = threading.Lock()
        self._read: dict[int, Release] = {}
        self._claimed = False
        self._all_ended = False
        """Has `unfinished` found nothing, and did this command open no record since?"""
        self._cursor: dict[int, tuple[int, Progress]] = {}
        """By record this command writes to: the number of events and the resulting progress."""

    def create(
        self,
        *,
        kind: Kind,
        build: str,
        config: str,
        schema_head: str | None = None,
        migrations: str = "",
        contracts: Sequence[str] = (),
        git_sha: str = "",
        dirty: bool = False,
        target: int | None = None,
        gone: int | None = None,
    ) -> Release:
        """Append a record under the next number. Numbers have no gaps and no duplicates."""
        head = self._move(lambda _: {})
        number = self._records.newest(head.newest) + 1
        floor = self._floor(head)
        while True:
            release = Release(
                number=number,
                stack=self.stack,
                kind=kind,
                build=build,
                config=config,
                schema_head=schema_head,
                migrations=migrations,
                contracts=tuple(contracts),
                git_sha=git_sha,
                dirty=dirty,
                target=target,
                gone=gone,
                actor=self._actor,
                created=self._now(),
                fence=self._fence(),
                floor=floor,
            )
            if self._sign is not None:
                release = self._sign(release)
            try:
                self._all_ended = False
                self._records.append(release)
            except Conflict:
                number += 1
                continue
            self._cursor[number], self._read[number] = (0, Progress()), release
            return release

    def _floor(self, head: Head) -> int:
        """The fence under which what serves was signed; 0: it was not, or nothing serves."""
        decided = head.record or head.live
        record = self.find(decided) if decided else None
        return record.fence if record and record.signature else 0

    def event(
        self, number: int, phase: str, event: What, detail: Mapping[str, object] | None = None
    ) -> Progress:
        """Append an event to record `number`; returns the record's resulting progress."""
        self._claim()
        with self._lock:
            known = self._cursor.get(number)
            while True:
                count, progress = known or self._look(number)
                after = progress.after(phase, event)
                entry = Event(
                    at=self._now(),
                    phase=phase,
                    event=event,
                    fence=self._fence(),
                    actor=self._actor,
                    detail=_redacted(dict(detail or {}), self._redact),
                    progress=after,
                )
                try:
                    self._records.append_event(number, count + 1, entry)
                except Conflict:
                    known = None
                    continue
                self._cursor[number] = (count + 1, after)
                if read := self._read.get(number):
                    self._read[number] = read.model_copy(update={"progress": after})
                return after

    def find(self, number: int) -> Release | None:
        """As in `Reading`. Under the lease no other command writes, so each record is read only once."""
        if self.lease is None:
            return super().find(number)
        if number not in self._read and (found := super().find(number)):
            self._read[number] = found
        return self._read.get(number)

    def unfinished(self) -> Release | None:
        """As in `Reading`; a promotion that the head names but no event records is recorded first."""
        if self._all_ended:
            return None
        if self.lease is not None:
            self._claim()
        good = self.head().last_known_good
        if self.lease is not None and good is not None and not self.get(good).was_promoted:
            self.event(good, "promote", "done", {"found": "in the head"})
        found = super().unfinished()
        self._all_ended = self.lease is not None and found is None
        return found

    def end(
        self, number: int, how: Literal["failed", "undone"], detail: Mapping[str, object] | None = None
    ) -> Progress:
        """Close a record that was not promoted, once no host holds anything of it."""
        return self.event(number, END, how, detail)

    def promote(self, number: int, *, schema_head: str | None = None) -> Head:
        """Make a release live and last known good. Safe to repeat.

        `schema_head` None: it stays what it is.
        """

        def change(head: Head) -> dict[str, object]:
            previous = head.last_known_good if head.last_known_good != number else head.previous
            return {
                "live": number,
                "record": number,
                "last_known_good": number,
                "previous": previous,
                "schema_head": schema_head or head.schema_head,
                "newest": max(head.newest, number),
            }

        return self._move(change)

    def roll_back(self, target: int, *, record: int | None = None) -> Head:
        """Make `target` live and last known good again. Safe to repeat; `record` is the rollback's number.

        A release gone back from is marked first, so that no later rollback chooses it unasked; a marked one
        that is returned to on purpose is good again. One that was still under way is closed. From now on
        the stack is held.
        """
        rollback = self.get(record) if record is not None else None
        gone = self._gone(rollback, target)
        if gone is not None:
            self._leave(gone, target)
            hold_after_rollback(
                self._bucket,
                self.stack,
                Hold(
                    cause="rollback",
                    by=rollback.actor if rollback else self._actor,
                    since=self._now(),
                    record=record,
                    target=target,
                    gone=gone.number,
                    build=gone.build,
                ),
            )
        if self.get(target).status == "rolled_back":
            self.event(target, "promote", "done", {"returned_to": True})
        return self._move(
            lambda head: {
                "live": target,
                "record": record,
                "last_known_good": target,
                "previous": None,
                "newest": max(head.newest, target, record or 0),
            }
        )

    def undo(self, record: Release, live: int | None, detail: Mapping[str, object] | None = None) -> None:
        """Close a record whose work was taken back on every host: `live`, which the head names, stays good.

        The release that a rollback to `live` stopped while it was under way is closed too. Safe to repeat.
        """
        if live is not None and self.get(live).status == "rolled_back":
            self.event(live, "promote", "done", {"kept": True})
        if live is not None and record.gone is not None and record.target == live:
            stopped = self.get(record.gone)
            if not stopped.was_promoted:
                self._leave(stopped, live)
        self.end(record.number, "undone", detail)

    def _gone(self, rollback: Release | None, target: int) -> Release | None:
        """The release that a rollback takes out of service; None: the head names the target already."""
        number = rollback.gone if rollback and rollback.gone is not None else self.head().live
        return self.get(number) if number is not None and number != target else None

    def _leave(self, gone: Release, target: int) -> None:
        if gone.was_promoted or gone.number == self.head().live:
            if gone.number > target and gone.status != "rolled_back":
                self.event(gone.number, ROLLBACK, "done", {"to": target})
        elif not gone.progress.ended:
            self.end(gone.number, "undone", {"rolled_back_to": target})

    def claim(self) -> Head:
        """Put this lease's fence into the head before anything else is read or written; returns the head.

        From then on a command that was overtaken, and does not know it yet, cannot move the head.
        """
        head = self._move(lambda _: {})
        self._claimed = True
        return head

    def _claim(self) -> None:
        if not self._claimed:
            self.claim()

    def _fence(self) -> int:
        if self.lease is None:
            raise LeaseLost(f"the ledger of stack {self.stack} is written only under its lease")
        return self.lease.check()

    def _move(self, change: Callable[[Head], dict[str, object]]) -> Head:
        """Replace the head by one conditional write; LeaseLost if a newer holder has written it."""
        while True:
            head, etag = self._read_head()
            fence = self._fence()
            if head.fence > fence:
                raise LeaseLost(f"a newer command (fence {head.fence}) works on stack {self.stack}")
            wanted = change(head) | {"fence": fence}
            if wanted.items() <= dict(head).items():
                return head
            moved = head.model_copy(update={**wanted, "updated": self._now()})
            try:
                self._bucket.put_json(
                    self._head_key, moved.model_dump(mode="json"), if_match=etag, if_none_match=etag is None
                )
            except Conflict:
                continue
            return moved

    def _look(self, number: int) -> tuple[int, Progress]:
        count, last = self._records.last_event(number)
        if last is not None and last.fence > self._fence():
            raise LeaseLost(f"a newer command (fence {last.fence}) has taken over release {number}")
        return count, last.progress if last else Progress()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._bucket.server_time(), UTC)


def _redacted(detail: Mapping[str, object], redact: Callable[[str], str]) -> dict[str, object]:
    """`detail` with every string in it redacted."""
    return {key: _redacted_value(value, redact) for key, value in detail.items()}


def _redacted_value(value: object, redact: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return _redacted(cast("Mapping[str, object]", value), redact)
    if isinstance(value, (list, tuple)):
        return [_redacted_value(item, redact) for item in cast("Sequence[object]", value)]
    return value
