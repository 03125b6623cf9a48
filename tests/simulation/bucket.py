"""The builds bucket of the simulated world: it may be slow, out of reach, or lose the answer to a write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hosts.agent.sigv4 import Credentials
from slipway.storage.bucket import Bucket, BucketError, Conflict, Json
from slipway.storage.records import Event, Head, Release

if TYPE_CHECKING:
    from tests.simulation.world import World

EPOCH = 1_800_000_000.0


class Store:
    """What the bucket holds, and what follows from it."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.head = Head()
        self.open: dict[int, Release] = {}
        """Records that have not ended."""
        self.promoted: set[int] = set()
        self.builds: dict[int, str] = {}
        self._writes = 0

    def put(self, key: str, content: bytes) -> str:
        self._writes += 1
        etag = f'"{self._writes}"'
        self.objects[key] = (content, etag)
        if key.endswith("head.json"):
            self.head = Head.model_validate_json(content)
        elif "/events/" in key:
            number, event = int(key.split("/")[-3]), Event.model_validate_json(content)
            if event.progress.ended:
                self.open.pop(number, None)
            if event.progress.was_promoted:
                self.promoted.add(number)
        elif "/releases/" in key:
            release = Release.model_validate_json(content)
            self.open[release.number] = release
            self.builds[release.number] = release.build
        return etag

    @property
    def in_the_way(self) -> set[int | None]:
        """Releases that a host may serve: the live one, and those that an open record explains."""
        return {self.head.live, *(release.target or release.number for release in self.open.values())}


class SimBucket(Bucket):
    """One command's connection to the store."""

    def __init__(self, world: World) -> None:
        super().__init__("sim", Credentials("", ""), endpoint="http://127.0.0.1:9")
        self._world = world

    def get_json(self, key: str) -> tuple[Json, str] | None:
        self._travel()
        found = self._world.store.objects.get(key)
        self._travel()
        return (json.loads(found[0]), found[1]) if found else None

    def put_json(
        self, key: str, obj: Json, *, if_match: str | None = None, if_none_match: bool = False
    ) -> str:
        content = json.dumps(obj, sort_keys=True).encode()
        self._travel()
        there = self._world.store.objects.get(key)
        if (if_none_match and there) or (if_match is not None and (there is None or there[1] != if_match)):
            if there is None or there[0] != content:
                self._travel()
                raise Conflict(key)
            etag = there[1]
        else:
            etag = self._world.store.put(key, content)
            self._world.has_changed = True
        if self._world.loses_write():
            raise BucketError("the answer to a write was lost")
        self._travel()
        return etag

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        self._travel()
        keys = sorted(key for key in self._world.store.objects if key.startswith(prefix) and key > after)
        yield from keys

    def delete(self, key: str) -> None:
        self._travel()
        self._world.store.objects.pop(key, None)

    def server_time(self) -> float:
        return EPOCH + self._world.kernel.now

    def _travel(self) -> None:
        world = self._world
        world.kernel.sleep(world.random.uniform(0.002, 0.01))
        if world.kernel.now < world.bucket_away_until:
            world.kernel.sleep(2.0)
            raise BucketError("the bucket does not answer")
