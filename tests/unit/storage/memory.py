"""A bucket in memory with its own clock, which can kill or overtake a command at any request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator

from hosts.agent.sigv4 import Credentials
from slipway.storage.bucket import Bucket, Conflict, Json, parsed

Strike = Callable[[], object]


class Killed(BaseException):
    """A SIGKILL, as the code sees it: nothing after it happens."""


class MemoryBucket(Bucket):
    """Conditional writes as S3 has them. `strike` runs before or after the request `strike_at` (from 0)."""

    def __init__(self) -> None:
        super().__init__("memory", Credentials("", ""), endpoint="http://127.0.0.1:9")
        self.objects: dict[str, bytes] = {}
        self.now = 1_800_000_000.0
        self.requests = 0
        self.written: list[tuple[str, Json]] = []
        """Every write that took place, in order."""
        self._strike: tuple[int, bool, Strike] | None = None
        self._dead = False

    def strike_at(self, request: int, *, after: bool, strike: Strike) -> None:
        """Run `strike` once, at the request that comes `request` requests from now."""
        self._strike = (self.requests + request, after, strike)

    def kill(self) -> None:
        """A strike: the command that makes the request is dead, and so is every request after it."""
        self._dead = True
        raise Killed

    def calm(self) -> None:
        """Cancel the strike; the next command is alive."""
        self._strike, self._dead = None, False

    def get_json(self, key: str) -> tuple[Json, str] | None:
        self._at(after=False)
        content = self.objects.get(key)
        self._at(after=True)
        return (parsed(key, content), _etag(content)) if content is not None else None

    def put_json(
        self, key: str, obj: Json, *, if_match: str | None = None, if_none_match: bool = False
    ) -> str:
        self._at(after=False)
        there = self.objects.get(key)
        if (if_none_match and there is not None) or (
            if_match is not None and (there is None or _etag(there) != if_match)
        ):
            self.requests += 1
            raise Conflict(key)
        content = json.dumps(obj, sort_keys=True).encode()
        self.objects[key] = content
        self.written.append((key, json.loads(content)))
        self._at(after=True)
        return _etag(content)

    def get_bytes(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def put_bytes(self, key: str, content: bytes) -> None:
        self.objects[key] = content

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        self._at(after=False)
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        self._at(after=True)
        yield from keys

    def server_time(self) -> float:
        return self.now

    def _at(self, *, after: bool) -> None:
        if self._dead:
            raise Killed
        if self._strike and self._strike[:2] == (self.requests, after):
            strike, self._strike = self._strike[2], None
            strike()
        if after:
            self.requests += 1


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
