"""A layer: a tar of sorted entries, compressed by zstd, named by the sha256 of the compressed bytes.

Equal entries give equal bytes on any day, in any folder, on any number of cores (by one version of zstd):
owner 0:0, modes 0644 and 0755, times that do not tell when, no extended attributes. zstd cuts its work into
the same jobs for any number of threads, as long as it is at least one.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

import zstandard

from slipway.build import cache
from slipway.build.environment import EPOCH
from slipway.build.inputs import file_digest
from slipway.build.tree import Entry

LEVEL = 6
BLOCK = 4096
CHUNK = 1 << 20

Times = Literal["fixed", "content"]
"""How files are dated. `fixed`: all by EPOCH. `content`: by a hash of their content, because web servers make
ETags of size and time, and a changed file of the same size must not look unchanged."""

TWENTY_YEARS = 20 * 365 * 86400


@dataclass(frozen=True)
class Packed:
    """A layer on this machine. Sizes are bytes; `unpacked_size` as on a disk with 4 KiB blocks."""

    path: Path
    digest: str
    size: int
    unpacked_size: int


def pack(
    entries: Iterable[Entry],
    *,
    times: Times = "fixed",
    threads: int = 0,
    told: Callable[[int], None] = lambda _: None,
) -> Packed:
    """Write a layer into the cache and return it; memory stays constant whatever its size.

    `threads`: 0 takes the machine's cores. `told` gets the bytes read so far, about once a megabyte and file.
    """
    unpacked = 0
    with tempfile.NamedTemporaryFile(dir=cache.layers_dir(), prefix="packing-", delete=False) as file:
        place = Path(file.name)
        try:
            sink = _Sink(file.file)
            compressor = zstandard.ZstdCompressor(
                level=LEVEL, threads=threads or os.cpu_count() or 1, write_checksum=True
            )
            with (
                compressor.stream_writer(cast("Any", sink), closefd=False, write_size=CHUNK) as stream,
                tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK) as tar,
            ):
                cast("Any", tar).copybufsize = CHUNK
                for entry in entries:
                    _add(tar, entry, times, lambda count: told(unpacked + count))  # noqa: B023 - called at once
                    unpacked += max(BLOCK, -(-entry.size // BLOCK) * BLOCK)
        except BaseException:
            place.unlink(missing_ok=True)
            raise
    digest = f"sha256:{sink.hash.hexdigest()}"
    path = cache.layer_path(digest)
    place.chmod(0o644)
    place.replace(path)
    return Packed(path, digest, sink.size, unpacked)


def recalled(record: dict[str, object] | None) -> Packed | None:
    """The layer a record of `record_of` tells of, if its file is still in the cache; marks it as used."""
    if record is None:
        return None
    path = cache.layer_path(str(record.get("digest")))
    size, unpacked = record.get("size"), record.get("unpacked_size")
    if not (
        isinstance(size, int) and isinstance(unpacked, int) and path.exists() and path.stat().st_size == size
    ):
        return None
    os.utime(path)
    return Packed(path, str(record["digest"]), size, unpacked)


def record_of(layer: Packed) -> dict[str, object]:
    """What to remember of a layer in the cache."""
    return {"digest": layer.digest, "size": layer.size, "unpacked_size": layer.unpacked_size}


def _add(tar: tarfile.TarFile, entry: Entry, times: Times, told: Callable[[int], None]) -> None:
    info = tarfile.TarInfo(entry.name)
    info.mtime = EPOCH
    info.mode = 0o755 if entry.program or entry.kind == "folder" else 0o644
    match entry.kind:
        case "folder":
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        case "link":
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.target, 0o777
            tar.addfile(info)
        case "file":
            info.size = entry.size
            if times == "content":
                info.mtime = EPOCH + int(_content_hash(entry)[:8], 16) % TWENTY_YEARS
            with entry.origin.open("rb") if entry.content is None else io.BytesIO(entry.content) as file:
                tar.addfile(info, _Told(file, told))
    cast("Any", tar).members.clear()  # tarfile keeps every member for a listing that nobody asks for


def _content_hash(entry: Entry) -> str:
    return file_digest(entry.origin) if entry.content is None else hashlib.sha256(entry.content).hexdigest()


class _Told(io.RawIOBase):
    """A file that tells how far it was read."""

    def __init__(self, file: io.BytesIO | io.BufferedReader, told: Callable[[int], None]) -> None:
        self.file, self.told, self.count = file, told, 0

    def read(self, size: int = -1, /) -> bytes:
        data = self.file.read(size)
        self.count += len(data)
        self.told(self.count)
        return data


class _Sink(io.RawIOBase):
    """Hashes and counts what passes to a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.hash, self.size = file, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.hash.update(data)
        self.size += len(data)
        return self.file.write(data)
