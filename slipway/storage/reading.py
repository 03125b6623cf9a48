"""Reading a stack's ledger: what serves, what is good, what was left unfinished. Needs no lease."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from slipway.settings import BadInput
from slipway.storage.bucket import Bucket, Conflict, Damaged
from slipway.storage.records import Event, Head, Progress, Release, head_key

_READ_AT_ONCE = 8


class Reading:
    """Reads one stack's ledger."""

    def __init__(self, bucket: Bucket, stack: str) -> None:
        self.stack = stack
        self._bucket, self._records = bucket, Records(bucket, stack)

    def head(self) -> Head:
        """The head; empty if nothing was ever promoted."""
        return self._read_head()[0]

    @property
    def is_empty(self) -> bool:
        """Was no release ever recorded? One request."""
        return not self._records.any

    def find(self, number: int) -> Release | None:
        """Release `number`, or None if there is none."""
        return self._records.read(number)

    def get(self, number: int) -> Release:
        """Release `number`; BadInput if there is none."""
        found = self.find(number)
        if found is None:
            raise BadInput(
                f"stack {self.stack} has no release {number}",
                remedy=f"`slipway history --stack {self.stack}` lists them",
            )
        return found

    def live(self) -> Release | None:
        number = self.head().live
        return None if number is None else self.get(number)

    def authority(self, release: int) -> Release:
        """The record whose signature lets hosts serve `release` now: a rollback to it, or its own."""
        head = self.head()
        newest = self.find(self._records.newest(head.newest))
        if newest and newest.target == release and not newest.progress.ended:
            return newest
        return self.get(head.record if head.record and head.live == release else release)

    def last_known_good(self) -> Release | None:
        """The newest release that was promoted, or that a rollback returned to."""
        number = self.head().last_known_good
        return None if number is None else self.get(number)

    def previous_good(self, before: int) -> Release | None:
        """The target of a rollback from release `before`: the newest good release with a smaller number."""
        head = self.head()
        if head.live == before and head.previous is not None:
            return self.get(head.previous)
        for number in range(before - 1, 0, -1):
            release = self.find(number)
            if release is not None and release.is_good:
                return release
        return None

    def history(self, limit: int = 20) -> list[Release]:
        """The newest `limit` records, newest first."""
        newest = self._records.newest(self.head().newest)
        numbers = range(newest, max(0, newest - limit), -1)
        with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
            return [release for release in pool.map(self.find, numbers) if release is not None]

    def events(self, number: int) -> list[Event]:
        """The audit trail of one record, oldest first."""
        return list(self._records.events(number))

    def unfinished(self) -> Release | None:
        """The newest record that has not ended. Under the lease, a killed command left it behind.

        `release.progress.done` are the completed phases. A record that the head names was promoted, even if
        its events do not say so.
        """
        head = self.head()
        newest = self._records.newest(head.newest)
        for number in range(newest, (head.last_known_good or 0) - 1, -1):
            release = self.find(number)
            if release is None or release.progress.ended:
                continue
            if number == head.last_known_good:
                continue
            return release
        return None

    def contracts_since(self, number: int) -> list[str]:
        """Contract migrations that may have been applied since release `number`, which does not have them."""
        known = self.get(number).contracts
        found: list[str] = []
        for later in range(number + 1, self._records.newest(self.head().newest) + 1):
            release = self.find(later)
            if release is None or release.kind == "rollback":
                continue
            new = [name for name in release.contracts if name not in known and name not in found]
            if new and any(event.phase == "migrate" for event in self.events(later)):
                found += new
        return found

    @property
    def _head_key(self) -> str:
        return head_key(self.stack)

    def _read_head(self) -> tuple[Head, str | None]:
        found = self._bucket.get_json(self._head_key)
        if found is None and self._records.any:
            # The head is written before the first record: it was written just now, or it was lost.
            found = self._bucket.get_json(self._head_key)
            if found is None:
                raise Damaged(self._head_key, "is missing, although the stack has releases")
        return (Head.read(self._head_key, found[0]), found[1]) if found else (Head(), None)


class Records:
    """The releases of one stack: `stacks/<stack>/releases/<number>.json` and their events beside them."""

    def __init__(self, bucket: Bucket, stack: str) -> None:
        self._bucket = bucket
        self._root = f"stacks/{stack}/releases/"

    @property
    def any(self) -> bool:
        """Whether there is at least one record."""
        return next(self._bucket.list(self._root), None) is not None

    def newest(self, known: int) -> int:
        """The greatest existing number; `known` is one that exists (0: none is known)."""
        after = f"{self._root}{known:08d}/~" if known else ""
        found = [known]
        for key in self._bucket.list(self._root, after=after):
            if number := re.fullmatch(r"(\d{8})\.json", key.removeprefix(self._root)):
                found.append(int(number.group(1)))
        return max(found)

    def append(self, release: Release) -> None:
        """Create the record. Raises Conflict if its number is taken."""
        key = f"{self._root}{release.number:08d}.json"
        self._bucket.put_json(key, release.model_dump(mode="json"), if_none_match=True)

    def read(self, number: int) -> Release | None:
        """The record with the progress of its newest event; None if there is no such record."""
        key = f"{self._root}{number:08d}.json"
        found = self._bucket.get_json(key)
        if found is None:
            return None
        _, event = self.last_event(number)
        release = Release.read(key, found[0])
        if release.number != number:
            raise Damaged(key, f"is the record of release {release.number}")
        return release.model_copy(update={"progress": event.progress if event else Progress()})

    def last_event(self, number: int) -> tuple[int, Event | None]:
        """The number of a record's events, and the newest."""
        keys = list(self._bucket.list(f"{self._root}{number:08d}/events/"))
        return len(keys), self._event(keys[-1]) if keys else None

    def events(self, number: int) -> Iterator[Event]:
        """All events of a record, oldest first."""
        for key in self._bucket.list(f"{self._root}{number:08d}/events/"):
            yield self._event(key)

    def append_event(self, number: int, index: int, event: Event) -> None:
        """Create event `index` (from 1). Raises Conflict if it exists."""
        key = f"{self._root}{number:08d}/events/{index:04d}.json"
        self._bucket.put_json(key, event.model_dump(mode="json"), if_none_match=True)

    def _event(self, key: str) -> Event:
        found = self._bucket.get_json(key)
        if found is None:
            raise Conflict(key)
        return Event.read(key, found[0])
