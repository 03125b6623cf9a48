"""Large files in parts, several at once: a lost connection costs one part, and long links are filled."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, cast

from slipway.storage.transport import Answer, BucketError, Transport

SINGLE_PUT_BYTES = 64 << 20
"""Up to this size a file goes in one request."""
_MAX_PARTS = 10_000
_AT_ONCE = 4


class Piece:
    """A range of a file as a request body, hashed before it is sent so that the server can verify it."""

    def __init__(
        self,
        path: Path,
        offset: int,
        size: int,
        sha256: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self._path, self._offset, self.size = path, offset, size
        self._progress = progress
        self._told = 0
        self.sha256 = sha256 or self._hash()

    def open(self) -> BinaryIO:
        """A stream of the range; progress is told once for each byte, however often it is sent."""
        return cast("BinaryIO", _Range(self._path, self._offset, self.size, self._tell))

    def _tell(self, position: int) -> None:
        if self._progress and position > self._told:
            self._progress(position - self._told)
            self._told = position

    def _hash(self) -> str:
        digest = hashlib.sha256()
        with _Range(self._path, self._offset, self.size, lambda _: None) as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
        return digest.hexdigest()


class _Range(io.RawIOBase):
    """Reads `size` bytes of a file from `offset` on."""

    def __init__(self, path: Path, offset: int, size: int, tell: Callable[[int], object]) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._file.seek(offset)
        self._size, self._done, self._report = size, 0, tell

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


def upload_in_parts(
    transport: Transport,
    path: str,
    file: Path,
    progress: Callable[[int], object] | None,
    expect: Callable[[Answer, str], None],
) -> None:
    """S3's multipart upload of `file` to the object at `path`; taken back when any part fails."""
    size = file.stat().st_size
    part_size = max(SINGLE_PUT_BYTES // 4, -(-size // _MAX_PARTS))
    begun = transport.request("POST", path, query={"uploads": ""})
    expect(begun, path)
    found = re.search(rb"<UploadId>([^<]+)</UploadId>", begun.content)
    if not found:
        raise BucketError(f"{path}: the server gave no upload id")
    upload = found.group(1).decode()

    def send(index: int) -> str:
        offset = index * part_size
        body = Piece(file, offset, min(part_size, size - offset), progress=progress)
        query = {"partNumber": str(index + 1), "uploadId": upload}
        answer = transport.request("PUT", path, query=query, body=body)
        expect(answer, f"{path} part {index + 1}")
        return answer.etag

    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            etags = list(pool.map(send, range(-(-size // part_size))))
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in enumerate(etags, 1)
        )
        content = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        done = transport.request("POST", path, query={"uploadId": upload}, body=content)
        expect(done, path)
        if done.code:  # S3 may answer 200 and then say in the content that it failed
            raise BucketError(f"{path}: {done.code}")
    except BaseException:
        transport.request("DELETE", path, query={"uploadId": upload})
        raise
