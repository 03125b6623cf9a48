"""A layer: a tar of sorted entries, compressed by zstd, named by the sha256 of the compressed bytes.

Equal entries give equal bytes on any day, in any folder, on any number of cores (by one version of zstd):
owner 0:0, modes 0644 and 0755, times that do not depend on the clock, no extended attributes. zstd cuts its
work into the same jobs for any number of threads, as long as it is at least one.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

import zstandard

from slipway.build import cache
from slipway.build.command import EPOCH
from slipway.build.source import leads_out
from slipway.settings import BadInput

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
    report: Callable[[int], None] = lambda _: None,
) -> Packed:
    """Write a layer into the cache and return it; memory use does not depend on its size.

    `threads`: 0 takes the machine's cores. `report` gets the bytes read so far, once per megabyte and file.
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
                    _add(tar, entry, times, lambda count: report(unpacked + count))  # noqa: B023 - called at once
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
    """The layer that a record of `record_of` describes, if it is still in the cache; marks it as used."""
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
    """The record of a layer in the cache, from which `recalled` finds it."""
    return {"digest": layer.digest, "size": layer.size, "unpacked_size": layer.unpacked_size}


def _add(tar: tarfile.TarFile, entry: Entry, times: Times, report: Callable[[int], None]) -> None:
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
                tar.addfile(info, _Counted(file, report))
    cast("Any", tar).members.clear()  # tarfile keeps every member for listings, which are not needed here


def _content_hash(entry: Entry) -> str:
    return (
        cache.file_digest(entry.origin)
        if entry.content is None
        else hashlib.sha256(entry.content).hexdigest()
    )


class _Counted(io.RawIOBase):
    """A file that reports how far it was read."""

    def __init__(self, file: io.BytesIO | io.BufferedReader, report: Callable[[int], None]) -> None:
        self.file, self.report, self.count = file, report, 0

    def read(self, size: int = -1, /) -> bytes:
        data = self.file.read(size)
        self.count += len(data)
        self.report(self.count)
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


RUNTIME_FOLDER = ".runtime"
"""Folder of the runtime layer in a build's root; `.runtime/bin` is first on PATH."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a layer. `name` is relative to the build's root."""

    name: str
    kind: Literal["file", "link", "folder"]
    origin: Path
    """Where a file's content is read from."""
    size: int = 0
    program: bool = False
    target: str = ""
    """What a link points to, relative."""
    content: bytes | None = None
    """Content in place of the origin's."""


def collect(
    root: Path,
    keep: Callable[[str], bool],
    *,
    skip: Callable[[str], bool] = lambda _: False,
    runtime: Path | None = None,
) -> list[Entry]:
    """Files and links below `root` that `keep` wants and `skip` does not, with the folders above them.

    `skip` prunes whole folders. `runtime` is the folder whose `.runtime` the build ran with: a link to there
    (a Python environment's) becomes a link to the build's own `.runtime`. Raises BadInput for a link that
    leaves `root` otherwise, and for anything that is neither file, link nor folder.
    """
    entries: dict[str, Entry] = {}
    for folder, folders, files in os.walk(root):
        here = os.path.relpath(folder, root)
        below = "" if here == "." else f"{here}/"
        linked = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = [name for name in folders if name not in linked and not skip(below + name)]
        for name in (below + file for file in [*files, *linked]):
            if keep(name) and not skip(name):
                entries[name] = _entry(root, name, runtime)
    for name in list(entries):
        for parent in Path(name).parents[:-1]:
            entries.setdefault(str(parent), Entry(str(parent), "folder", root / parent))
    return [entries[name] for name in sorted(entries, key=os.fsencode)]


def _entry(root: Path, name: str, runtime: Path | None) -> Entry:
    path = root / name
    info = path.lstat()
    if stat.S_ISLNK(info.st_mode):
        return Entry(name, "link", path, target=_portable(root, name, runtime))
    if not stat.S_ISREG(info.st_mode):
        raise BadInput(f"{name} is neither a file nor a link, so it cannot be shipped")
    program = bool(info.st_mode & 0o111)
    if path.name == "pyvenv.cfg":
        content = _placeless(path)
        return Entry(name, "file", path, len(content), program, content=content)
    if program and (content := _moved(root, path, name)):
        return Entry(name, "file", path, len(content), program, content=content)
    return Entry(name, "file", path, info.st_size, program)


def _portable(root: Path, name: str, runtime: Path | None) -> str:
    """The link's target, relative to the link and within the build's root."""
    target = str((root / name).readlink())
    if target.startswith("/"):
        for base in filter(None, [root, runtime]):
            if Path(target).is_relative_to(base) and (
                base == root or Path(target).is_relative_to(base / RUNTIME_FOLDER)
            ):
                inside = str(Path(target).relative_to(base))
                return os.path.relpath(inside, os.path.dirname(name) or ".")  # noqa: PTH120 - as text
    if leads_out(name, target):
        raise BadInput(
            f"{name} is a link to {target}, outside of the build",
            remedy="a host would not have it: copy it into the context, or drop the link by build.exclude",
        )
    return target


def _placeless(path: Path) -> bytes:
    """A Python environment's pyvenv.cfg without the path it was created in.

    CPython then takes the interpreter that `.venv/bin/python` links to as its home (tried with 3.11 to 3.13).
    """
    lines = path.read_text().splitlines(keepends=True)
    return "".join(
        line for line in lines if line.partition("=")[0].strip() not in {"home", "executable", "command"}
    ).encode()


def _moved(root: Path, path: Path, name: str) -> bytes | None:
    """A script whose interpreter is in its own folder, rewritten to look for it beside itself.

    None for all others. What `uv sync` and pip write into `.venv/bin` is of that kind.
    """
    with path.open("rb") as file:
        first = file.readline(512)
        if not (first.startswith(b"#!") and os.fsencode(root) in first):
            return None
        interpreter = Path(os.fsdecode(first[2:].strip()))
        if interpreter.parent != path.parent:
            raise BadInput(
                f"{name} runs only where it was built: it begins with {os.fsdecode(first).strip()}",
                remedy="drop it by build.exclude, or have it look for its interpreter on PATH",
            )
        return TRAMPOLINE.replace(b"INTERPRETER", os.fsencode(interpreter.name)) + file.read()


TRAMPOLINE = b"""#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")"/'INTERPRETER' "$0" "$@"
' '''
"""
"""A command to a shell, a triple-quoted string to Python; uv writes the same into relocatable scripts."""
