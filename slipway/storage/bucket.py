"""An S3 bucket with conditional writes: JSON objects for the ledger, files for layers.

boto3 is not used: importing it and making a client takes half a second, and a whole rollback may take one.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from slipway.storage.multipart import SINGLE_PUT_BYTES, Piece, upload_in_parts
from slipway.storage.sigv4 import Credentials
from slipway.storage.transport import Answer, BucketError, Transport

Json = dict[str, Any]
Progress = Callable[[int], object]
"""Told how many more bytes have gone over the wire."""

__all__ = ["Bucket", "BucketError", "Conflict", "Json"]


class Conflict(Exception):
    """A conditional write lost: the object has another etag, exists already, or exists no more."""


class Bucket:
    """One bucket, addressed path-style. All methods may be used from several threads.

    Every method raises BucketError when the bucket cannot be reached or refuses.
    """

    def __init__(
        self,
        name: str,
        credentials: Credentials | Callable[[], Credentials],
        *,
        region: str = "us-east-1",
        endpoint: str | None = None,
        connect: tuple[str, int] | None = None,
        ca_file: str | None = None,
    ) -> None:
        """`endpoint` None is AWS's own; `connect` is where it is really reached (a tunnel's local end)."""
        fixed = credentials
        self.name = name
        self._transport = Transport(
            endpoint or f"https://s3.{region}.amazonaws.com",
            region,
            (lambda: fixed) if isinstance(fixed, Credentials) else fixed,
            connect=connect,
            ca_file=ca_file,
        )

    def get_json(self, key: str) -> tuple[Json, str] | None:
        """The object and its etag, or None when there is no such key."""
        answer = self._transport.request("GET", self._path(key))
        if answer.status == 404 and answer.code != "NoSuchBucket":
            return None
        self._expect(answer, key)
        return json.loads(answer.content), answer.etag

    def get_bytes(self, key: str) -> bytes | None:
        """The object's content, or None when there is no such key. For small objects."""
        answer = self._transport.request("GET", self._path(key))
        if answer.status == 404 and answer.code != "NoSuchBucket":
            return None
        self._expect(answer, key)
        return answer.content

    def put_bytes(self, key: str, content: bytes) -> None:
        """Write a small object, over what is there."""
        self._expect(self._transport.request("PUT", self._path(key), body=content), key)

    def put_json(
        self, key: str, obj: Json, *, if_match: str | None = None, if_none_match: bool = False
    ) -> str:
        """Write the object and return its etag; Conflict when the condition does not hold.

        A conditional write whose answer was lost is settled by reading back: what lies there byte for byte
        is ours. So give every such object something that only its writer would say (a fence, a nonce).
        """
        content = json.dumps(obj, separators=(",", ":"), sort_keys=True).encode()
        headers = {"Content-Type": "application/json"}
        if if_match is not None:
            headers["If-Match"] = if_match
        if if_none_match:
            headers["If-None-Match"] = "*"
        answer = self._transport.request("PUT", self._path(key), headers=headers, body=content)
        if answer.status in (409, 412) or (answer.status == 404 and answer.code == "NoSuchKey"):
            if answer.repeated:
                found = self._transport.request("GET", self._path(key))
                if found.status == 200 and found.content == content:
                    return found.etag
            raise Conflict(key)
        self._expect(answer, key)
        return answer.etag

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        answer = self._transport.request("HEAD", self._path(key))
        if answer.status == 404:
            return False
        self._expect(answer, key)
        return True

    def put_file(
        self, key: str, path: Path, *, sha256: str | None = None, progress: Progress | None = None
    ) -> None:
        """Upload a file; the server verifies what arrives against its SHA-256 (hex; computed if not given).

        Above 64 MiB it goes in parts, several at once, and appears only when the last one has arrived.
        """
        size = path.stat().st_size
        if size > SINGLE_PUT_BYTES:
            upload_in_parts(self._transport, self._path(key), path, progress, self._expect)
            return
        body = Piece(path, 0, size, sha256, progress)
        self._expect(self._transport.request("PUT", self._path(key), body=body), key)

    def get_file(
        self, key: str, path: Path, *, sha256: str | None = None, progress: Progress | None = None
    ) -> None:
        """Download to `path`, which appears only when it is whole and its SHA-256 (hex) is right."""
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        digest = hashlib.sha256()
        try:
            with part.open("wb") as out:

                def sink(piece: bytes) -> None:
                    out.write(piece)
                    digest.update(piece)
                    if progress:
                        progress(len(piece))

                answer = self._transport.request("GET", self._path(key), sink=sink)
            self._expect(answer, key)
            if sha256 and digest.hexdigest() != sha256:
                raise BucketError(f"{key} is corrupt: its SHA-256 is {digest.hexdigest()}, not {sha256}")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The keys that start with `prefix`, in order, from the one after `after`."""
        query = {"list-type": "2", "prefix": prefix}
        if after:
            query["start-after"] = after
        while True:
            answer = self._transport.request("GET", self._path(""), query=query)
            self._expect(answer, prefix)
            text = answer.content.decode()
            for key in re.findall(r"<Contents>.*?<Key>([^<]*)</Key>", text, re.DOTALL):
                yield html.unescape(key)
            token = re.search(r"<NextContinuationToken>([^<]*)</NextContinuationToken>", text)
            if not token:
                return
            token = html.unescape(token.group(1))
            query = {"list-type": "2", "prefix": prefix, "continuation-token": token}

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when there is none."""
        answer = self._transport.request("DELETE", self._path(key))
        if answer.status != 404:
            self._expect(answer, key)

    def server_time(self) -> float:
        """Seconds since 1970 by the server's clock, as its latest answers told it (within a second)."""
        return self._transport.clock.now()

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()

    def _path(self, key: str) -> str:
        return f"/{self.name}/{key}" if key else f"/{self.name}"

    def _expect(self, answer: Answer, what: str) -> None:
        if answer.status < 300:
            return
        why = answer.code or f"status {answer.status}"
        remedy = ""
        if answer.status == 403:
            remedy = "check the account's access key, its secret key and its rights on the bucket"
        elif answer.code == "NoSuchBucket":
            remedy = "`slipway up` makes the stack's buckets"
        raise BucketError(f"bucket {self.name} refused {what}: {why}", remedy=remedy)
