"""Where a stack's records and events lie in the bucket, and how they are read and appended."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slipway.storage.bucket import Bucket, Conflict
from slipway.storage.release import Event, Progress, Release


class Records:
    """The releases of one stack: `stacks/<stack>/releases/<number>.json` and their events beside them."""

    def __init__(self, bucket: Bucket, stack: str) -> None:
        self._bucket = bucket
        self._root = f"stacks/{stack}/releases/"

    def newest(self, known: int) -> int:
        """The greatest number there is; `known` exists already (0: none is known)."""
        after = f"{self._root}{known:08d}/~" if known else ""
        found = [known]
        for key in self._bucket.list(self._root, after=after):
            if number := re.fullmatch(r"(\d{8})\.json", key.removeprefix(self._root)):
                found.append(int(number.group(1)))
        return max(found)

    def append(self, release: Release) -> None:
        """Create the record; Conflict when its number is taken."""
        key = f"{self._root}{release.number:08d}.json"
        self._bucket.put_json(key, release.model_dump(mode="json"), if_none_match=True)

    def read(self, number: int) -> Release | None:
        """The record with the progress that its newest event tells; None if there is none."""
        found = self._bucket.get_json(f"{self._root}{number:08d}.json")
        if found is None:
            return None
        _, event = self.last_event(number)
        progress = event.progress if event else Progress()
        return Release.model_validate(found[0]).model_copy(update={"progress": progress})

    def last_event(self, number: int) -> tuple[int, Event | None]:
        """How many events a record has, and the newest."""
        keys = list(self._bucket.list(f"{self._root}{number:08d}/events/"))
        return len(keys), self._event(keys[-1]) if keys else None

    def events(self, number: int) -> Iterator[Event]:
        """All events of a record, oldest first."""
        for key in self._bucket.list(f"{self._root}{number:08d}/events/"):
            yield self._event(key)

    def append_event(self, number: int, index: int, event: Event) -> None:
        """Create event `index` (from 1); Conflict when another has that place."""
        key = f"{self._root}{number:08d}/events/{index:04d}.json"
        self._bucket.put_json(key, event.model_dump(mode="json"), if_none_match=True)

    def _event(self, key: str) -> Event:
        found = self._bucket.get_json(key)
        if found is None:
            raise Conflict(key)
        return Event.model_validate(found[0])
