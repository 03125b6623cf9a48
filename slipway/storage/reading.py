"""Reading a stack's ledger: what serves, what is good, what was left unfinished. Needs no lease."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from slipway.settings.errors import BadInput
from slipway.storage.bucket import Bucket
from slipway.storage.head import Head
from slipway.storage.records import Records
from slipway.storage.release import Event, Release

_READ_AT_ONCE = 8


class Reading:
    """One stack's ledger, to be read."""

    def __init__(self, bucket: Bucket, stack: str) -> None:
        self.stack = stack
        self._bucket, self._records = bucket, Records(bucket, stack)

    def head(self) -> Head:
        """What serves; an empty head when nothing was ever promoted."""
        return self._read_head()[0]

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
        """The release that serves."""
        number = self.head().live
        return None if number is None else self.get(number)

    def last_known_good(self) -> Release | None:
        """The newest release that was promoted (or gone back to)."""
        number = self.head().last_known_good
        return None if number is None else self.get(number)

    def previous_good(self, before: int) -> Release | None:
        """Where a rollback from release `before` goes: the newest good release with a smaller number."""
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
        """The newest record that has not ended. Under the lease: what a killed command left behind.

        `release.progress.done` are the phases that were done. A record that the head names already was
        promoted, whatever its events had time to say.
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
        """Contract migrations that may have been applied after release `number`, which lacks them."""
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
        return f"stacks/{self.stack}/head.json"

    def _read_head(self) -> tuple[Head, str | None]:
        found = self._bucket.get_json(self._head_key)
        return (Head.model_validate(found[0]), found[1]) if found else (Head(), None)
