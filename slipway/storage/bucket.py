"""An S3 bucket with conditional writes: JSON objects for the ledger, files for layers."""

import hashlib
import html
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from hosts.agent.sigv4 import Credentials
from slipway.settings import NeedsPerson, SlipwayError
from slipway.storage.signed_http import Answer, Body, SignedHttp, Sink, Unreachable

SINGLE_PUT_BYTES = 64 << 20
"""A larger file is uploaded in parts."""
_PART_BYTES = 16 << 20
_MAX_PARTS = 10_000
_PARTS_AT_ONCE = 4

Json = dict[str, Any]
Progress = Callable[[int], object]
"""Called with the number of bytes transferred since the last call."""


class BucketError(SlipwayError):
    """The bucket could not be reached or refused the request."""


class Damaged(NeedsPerson):
    """An object in the bucket cannot be read: truncated, garbled, or missing beside what depends on it."""

    def __init__(self, key: str, what: str) -> None:
        stack = re.match(r"stacks/([^/]+)/", key)
        again = "a release of the same source publishes it again"
        remedy = f"slipway ledger repair --stack {stack[1]}" if stack else again
        super().__init__(f"{key} in the builds bucket {what}", remedy=remedy)
        self.key = key


class Conflict(Exception):
    """A conditional write failed: the object has another etag, exists already, or no longer exists."""


def parsed(key: str, content: bytes) -> Json:
    """The JSON object in `content`, read from `key`. Raises Damaged."""
    try:
        found = json.loads(content)
    except ValueError:
        size = f"{len(content)} bytes"
        raise Damaged(key, f"is damaged: {size} that are not JSON") from None
    if not isinstance(found, dict):
        raise Damaged(key, "is damaged: it is no JSON object")
    return cast("Json", found)


class Bucket:
    """One bucket, addressed path-style. All methods may be used from several threads.

    Every method raises BucketError if the bucket cannot be reached or refuses the request.
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
        """`endpoint` None: AWS. `connect`: where to connect instead, such as a tunnel's local end."""
        fixed = credentials
        self.name = name
        self._http = SignedHttp(
            endpoint or f"https://s3.{region}.amazonaws.com",
            "s3",
            region,
            (lambda: fixed) if isinstance(fixed, Credentials) else fixed,
            connect=connect,
            ca_file=ca_file,
        )

    def get_json(self, key: str) -> tuple[Json, str] | None:
        """The object and its etag, or None if there is no such key. Raises Damaged if it is not JSON."""
        answer = self._request("GET", key)
        if answer.status == 404 and answer.code != "NoSuchBucket":
            return None
        self._expect(answer, key)
        return parsed(key, answer.content), answer.etag

    def get_bytes(self, key: str) -> bytes | None:
        """The object's content, or None if there is no such key. For small objects."""
        answer = self._request("GET", key)
        if answer.status == 404 and answer.code != "NoSuchBucket":
            return None
        self._expect(answer, key)
        return answer.content

    def put_bytes(self, key: str, content: bytes) -> None:
        """Write a small object; an existing one is replaced."""
        self._expected("PUT", key, body=content)

    def put_json(
        self, key: str, obj: Json, *, if_match: str | None = None, if_none_match: bool = False
    ) -> str:
        """Write the object and return its etag. Raises Conflict if the condition does not hold.

        If the answer to a conditional write was lost, the object is read back: if it has exactly these bytes,
        the write succeeded. Such an object must therefore hold something unique to its writer (a nonce).
        """
        content = json.dumps(obj, separators=(",", ":"), sort_keys=True).encode()
        headers = {"Content-Type": "application/json"}
        if if_match is not None:
            headers["If-Match"] = if_match
        if if_none_match:
            headers["If-None-Match"] = "*"
        answer = self._request("PUT", key, headers=headers, body=content)
        if answer.status in (409, 412) or (answer.status == 404 and answer.code == "NoSuchKey"):
            if answer.repeated:
                found = self._request("GET", key)
                if found.status == 200 and found.content == content:
                    return found.etag
            raise Conflict(key)
        self._expect(answer, key)
        return answer.etag

    def exists(self, key: str) -> bool:
        answer = self._request("HEAD", key)
        if answer.status == 404:
            return False
        self._expect(answer, key)
        return True

    def put_file(
        self, key: str, path: Path, *, sha256: str | None = None, progress: Progress | None = None
    ) -> None:
        """Upload a file; the server verifies the content against its SHA-256 (hex; computed if not given).

        A file above 64 MiB is uploaded in parts, several at once; the object appears when all have arrived.
        """
        size = path.stat().st_size
        if size > SINGLE_PUT_BYTES:
            self._put_in_parts(key, path, progress)
            return
        self._expected("PUT", key, body=_Piece(path, 0, size, sha256, progress))

    def get_file(
        self, key: str, path: Path, *, sha256: str | None = None, progress: Progress | None = None
    ) -> None:
        """Download to `path`, which appears only when the file is complete and its SHA-256 (hex) matches."""
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        digest = hashlib.sha256()
        try:
            with part.open("wb") as out:

                def sink(piece: bytes) -> None:
                    out.write(piece)
                    digest.update(piece)
                    if progress:
                        progress(len(piece))

                self._expected("GET", key, sink=sink)
            if sha256 and digest.hexdigest() != sha256:
                raise BucketError(f"{key} is corrupt: its SHA-256 is {digest.hexdigest()}, not {sha256}")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The keys that start with `prefix`, in order, beginning after the key `after`."""
        query = {"list-type": "2", "prefix": prefix}
        if after:
            query["start-after"] = after
        while True:
            answer = self._request("GET", "", query=query)
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
        """Remove the object if it exists."""
        answer = self._request("DELETE", key)
        if answer.status != 404:
            self._expect(answer, key)

    def server_time(self) -> float:
        """Seconds since 1970 by the server's clock, to within a second, as learned from its answers."""
        return self._http.clock.now()

    def close(self) -> None:
        self._http.close()

    def _put_in_parts(self, key: str, file: Path, progress: Progress | None) -> None:
        """S3's multipart upload: a lost connection costs one part. The upload is aborted if a part fails."""
        size = file.stat().st_size
        part_size = max(_PART_BYTES, -(-size // _MAX_PARTS))
        begun = self._expected("POST", key, query={"uploads": ""})
        found = re.search(rb"<UploadId>([^<]+)</UploadId>", begun.content)
        if not found:
            raise BucketError(f"{key}: the server gave no upload id")
        upload = found.group(1).decode()

        def send(index: int) -> str:
            offset = index * part_size
            body = _Piece(file, offset, min(part_size, size - offset), progress=progress)
            query = {"partNumber": str(index + 1), "uploadId": upload}
            return self._expected("PUT", key, query=query, body=body).etag

        try:
            with ThreadPoolExecutor(_PARTS_AT_ONCE) as pool:
                etags = list(pool.map(send, range(-(-size // part_size))))
            parts = "".join(
                f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
                for number, etag in enumerate(etags, 1)
            )
            content = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
            done = self._expected("POST", key, query={"uploadId": upload}, body=content)
            if done.code:  # S3 may answer 200 and report the failure in the content
                raise BucketError(f"{key}: {done.code}")
        except BaseException:
            with suppress(BucketError):
                self._request("DELETE", key, query={"uploadId": upload})
            raise

    def _request(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Body = b"",
        sink: Sink | None = None,
    ) -> Answer:
        path = f"/{self.name}/{key}" if key else f"/{self.name}"
        try:
            return self._http.request(method, path, query=query, headers=headers, body=body, sink=sink)
        except Unreachable as error:
            raise BucketError(error.message, remedy=error.remedy) from error

    def _expected(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | Body = b"",
        sink: Sink | None = None,
    ) -> Answer:
        """The answer if it is a success; BucketError otherwise."""
        answer = self._request(method, key, query=query, body=body, sink=sink)
        self._expect(answer, key)
        return answer

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


class _Piece:
    """A range of a file as a request body, hashed before it is sent so that the server can verify it."""

    def __init__(
        self,
        path: Path,
        offset: int,
        size: int,
        sha256: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._path, self._offset, self.size = path, offset, size
        self._progress = progress
        self._reported = 0
        self.sha256 = sha256 or self._hash()

    def open(self) -> BinaryIO:
        """A stream of the range; each byte counts as progress once, however often it is sent."""
        return cast("BinaryIO", _Range(self._path, self._offset, self.size, self._report))

    def _report(self, position: int) -> None:
        if self._progress and position > self._reported:
            self._progress(position - self._reported)
            self._reported = position

    def _hash(self) -> str:
        digest = hashlib.sha256()
        with _Range(self._path, self._offset, self.size, lambda _: None) as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
        return digest.hexdigest()


class _Range(io.RawIOBase):
    """Reads `size` bytes of a file from `offset` on; `report` gets the number of bytes read so far."""

    def __init__(self, path: Path, offset: int, size: int, report: Callable[[int], object]) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._file.seek(offset)
        self._size, self._done, self._report = size, 0, report

    def read(self, size: int = -1, /) -> bytes:
        left = self._size - self._done
        piece = self._file.read(left if size < 0 else min(size, left))
        self._done += len(piece)
        self._report(self._done)
        return piece

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()
