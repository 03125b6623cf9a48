"""Fetch a build's missing layers to the host: in parallel, verified before they are unpacked.

A layer's folder is trusted only if it holds the marker `complete` and its files are as they were unpacked
(tree.py); it gets its name only when everything in it is on the disk. GNU tar never writes through links it
has just made; what it would correct silently (absolute names) or leave (links that lead out, devices, setuid
files) is refused before the folder is trusted.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import subprocess
import threading

from . import aws, durable, program, tree
from .errors import AgentError
from .host import Builds, Paths
from .json_object import JsonObject

MARGIN = 64 << 20
"""Bytes that must stay free in addition to a build: logs and the state file are on the same disk."""
SLACK = 1 << 20
"""Bytes by which a layer's files may exceed what the manifest declares."""
MOST_LEVELS = 128
"""Folders in each other; node_modules have about 30."""
_COMPLAINT = 2000


class Layer:
    """An entry of the manifest's `layers`; sizes in bytes."""

    def __init__(self, fields: JsonObject) -> None:
        self.kind = fields.text("kind")
        self.digest = fields.text("digest")
        self.size = fields.whole("size")
        self.unpacked_size = fields.whole("unpacked_size")
        if self.size < 0 or self.unpacked_size < 0:
            raise AgentError("bad_request", f"{fields.where}: sizes must not be negative")
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", self.digest):
            raise AgentError(
                "bad_request", f"{fields.where}.digest: must be sha256:<64 hex>, got {self.digest}"
            )

    @property
    def key(self) -> str:
        """Its key in the builds bucket."""
        return f"layers/{self.digest.replace(':', '-')}.tar.zst"


class Fetched:
    """The result of `fetch`."""

    def __init__(self) -> None:
        self.downloaded: list[str] = []
        self.reused: list[str] = []
        self.bytes = 0
        self.altered: list[str] = []
        """Files of kept layers that had been changed on this host; their layers were fetched again."""


def present(paths: Paths, digest: str) -> bool:
    """Whether the complete layer is on this host, with the record of its files."""
    folder = paths.layer(digest)
    return os.path.exists(f"{folder}/complete") and os.path.exists(f"{folder}/tree")


def altered(paths: Paths, digest: str) -> list[str]:
    """Files of a kept layer that are not as they were unpacked; none if that was not recorded."""
    folder = paths.layer(digest)
    return tree.altered(f"{folder}/root", f"{folder}/tree") if present(paths, digest) else []


def fetch(paths: Paths, builds: Builds, layers: list[Layer]) -> Fetched:
    """Make every layer present. Raises `disk_full` with numbers before anything is fetched."""
    done = Fetched()
    missing: list[Layer] = []
    for layer in layers:
        changed = altered(paths, layer.digest)
        done.altered += changed
        if changed or not present(paths, layer.digest):
            missing.append(layer)
    done.reused = [layer.digest for layer in layers if layer not in missing]
    if not missing:
        return done
    for folder in (paths.layers, paths.work):
        os.makedirs(folder, mode=0o755, exist_ok=True)
    need_space(paths, sum(layer.size + layer.unpacked_size for layer in missing))
    failures: list[BaseException] = []

    def work(layer: Layer) -> None:
        try:
            _bring(paths, builds, layer)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(layer,), daemon=True) for layer in missing]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    done.downloaded = [layer.digest for layer in missing]
    done.bytes = sum(layer.size for layer in missing)
    return done


def need_space(paths: Paths, needed: int) -> None:
    """Raises `disk_full` if `needed` bytes and the margin do not fit on the disk of /srv/slipway."""
    disk = os.statvfs(paths.srv)
    free = disk.f_bavail * disk.f_frsize
    if free < needed + MARGIN:
        raise AgentError(
            "disk_full",
            f"{paths.srv} needs {mebibytes(needed + MARGIN)} MiB free, has {mebibytes(free)} MiB: "
            "run `slipway-agent prune` on it or give it a larger disk",
            detail={"needs": needed + MARGIN, "has": free, "path": paths.srv},
        )


def mebibytes(count: int) -> int:
    """Bytes in MiB, for messages."""
    return count >> 20


def _bring(paths: Paths, builds: Builds, layer: Layer) -> None:
    mark = f"{layer.digest.removeprefix('sha256:')}.{os.getpid()}"
    archive, folder = f"{paths.work}/{mark}.tar.zst", f"{paths.work}/{mark}"
    try:
        _download(paths, builds, layer, archive)
        unpack(archive, f"{folder}/root", layer.unpacked_size)
        tree.record(f"{folder}/root", f"{folder}/tree")
        durable.write(f"{folder}/complete", f"{layer.kind}\n".encode(), 0o644, sync=False)
        _flush(folder)
        delete(paths.layer(layer.digest))
        os.rename(folder, paths.layer(layer.digest))
        durable.sync_folder(paths.layers)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        need_space(paths, layer.size + layer.unpacked_size)
        raise AgentError("disk_full", f"{paths.srv}: {error.strerror}") from error
    except AgentError as error:
        error.message = f"layer {layer.kind} ({layer.digest}): {error.message}"
        raise
    finally:
        durable.unlink(archive)
        delete(folder)


def _download(paths: Paths, builds: Builds, layer: Layer, archive: str) -> None:
    """Stream to `archive`. Raises `corrupt_layer` if the bytes do not match the digest."""
    digest = hashlib.sha256()
    with open(archive, "wb", buffering=0) as file:
        received = 0
        for chunk in aws.download(builds, layer.key, paths.ca):
            received += len(chunk)
            if received > layer.size:
                raise AgentError(
                    "corrupt_layer",
                    f"the bucket delivered more than its {layer.size} bytes",
                    detail={"digest": layer.digest},
                )
            digest.update(chunk)
            file.write(chunk)
    got = f"sha256:{digest.hexdigest()}"
    if got != layer.digest:
        raise AgentError(
            "corrupt_layer",
            f"the bucket delivered bytes with digest {got}",
            detail={"digest": layer.digest, "got": got},
        )


def _flush(folder: str) -> None:
    """Write the unpacked files to the disk, so that the marker never survives without their content."""
    done = program.run("sync", "--file-system", folder)
    if done.code:
        raise AgentError("io", f"sync {folder}: {done.err}")


def unpack(archive: str, root: str, declared: int) -> None:
    """Unpack the tar.zst `archive` into the new folder `root`, owned by root, nothing writable by others.

    Raises `bad_layer` for one that becomes much larger than the `declared` bytes, while it is unpacked.
    """
    os.makedirs(root, mode=0o755)
    with open(os.memfd_create("complaints"), "r+b") as complaints:
        zstd = subprocess.Popen(["zstd", "-dcq", "--", archive], stdout=subprocess.PIPE, stderr=complaints)
        tar = subprocess.Popen(
            ["tar", "-x", "--no-same-owner", "--no-same-permissions", "-C", root],
            stdin=subprocess.PIPE,
            stderr=complaints,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            umask=0o022,
        )
        fits = False
        try:
            fits = _pass_on(zstd, tar, 2 * declared + SLACK)
        except BaseException:
            tar.kill()
            raise
        finally:
            if not fits:  # else its output has ended, and it ends by itself
                zstd.kill()
            codes = zstd.wait(), tar.wait()
        complaints.seek(0)
        complaint = complaints.read(_COMPLAINT).decode(errors="replace").strip()
    if not fits:
        raise _too_large(declared)
    if "No space left on device" in complaint:
        raise OSError(28, "No space left on device")
    if any(codes) or complaint:
        why = complaint or f"zstd ended with {codes[0]}, tar with {codes[1]}"
        raise AgentError("bad_layer", f"cannot unpack: {why}")
    check(root, declared)


def _pass_on(zstd: subprocess.Popen[bytes], tar: subprocess.Popen[bytes], most: int) -> bool:
    """Move zstd's output to tar within the kernel; False, with tar killed, if it is more than `most` bytes.

    An archive has headers beside its files, and small files take whole blocks on a disk: `most` is more than
    the declared size.
    """
    source, sink = zstd.stdout, tar.stdin
    if source is None or sink is None:
        raise RuntimeError("started without pipes")
    with source, sink:
        moved = 0
        try:
            while count := os.splice(source.fileno(), sink.fileno(), 1 << 20):
                moved += count
                if moved > most:
                    tar.kill()
                    return False
        except BrokenPipeError:
            # tar has ended. It need not have read the zeroes behind the archive's end, so that is no failure.
            while rest := source.read(1 << 20):
                moved += len(rest)
                if moved > most:
                    return False
    zstd.wait()
    return True


def _too_large(declared: int) -> AgentError:
    return AgentError("bad_layer", f"is larger than the {declared} bytes that the manifest declared")


def delete(path: str) -> None:
    """Delete a file or folder, however deep: Python's own rmtree ends at 1,000 levels."""
    subprocess.run(["rm", "-rf", "--", path], check=False, capture_output=True)


def check(root: str, declared: int) -> None:
    """Raises `bad_layer` for links that leave `root`, special files, setuid and setgid bits.

    Also for files that are larger than the `declared` bytes together (they may have holes), and for more than
    MOST_LEVELS folders in each other.
    """
    folders, total = [(root, 0)], 0
    while folders:
        folder, level = folders.pop()
        if level > MOST_LEVELS:
            raise AgentError("bad_layer", f"has more than {MOST_LEVELS} levels of folders")
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    _check_link(root, entry.path)
                elif entry.is_dir():
                    folders.append((entry.path, level + 1))
                else:
                    total += _check_file(root, entry)
    if total > declared + SLACK:
        raise _too_large(declared)


def _check_link(root: str, path: str) -> None:
    """A link may use `..` at its beginning only, and no further up than the layer's root.

    Only the link's text counts, so that another layer of the build cannot change the result.
    """
    target = os.readlink(path)
    steps = target.split("/")
    climb = next((index for index, step in enumerate(steps) if step != ".."), len(steps))
    depth = os.path.relpath(path, root).count("/")
    if target.startswith("/") or ".." in steps[climb:] or climb > depth:
        raise AgentError("bad_layer", f"{os.path.relpath(path, root)} links to {target}, outside the build")


def _check_file(root: str, entry: os.DirEntry[str]) -> int:
    """The file's size."""
    status = entry.stat(follow_symlinks=False)
    mode = status.st_mode
    if not stat.S_ISREG(mode):
        raise AgentError("bad_layer", f"{os.path.relpath(entry.path, root)} is neither file, folder nor link")
    if mode & (stat.S_ISUID | stat.S_ISGID):
        raise AgentError("bad_layer", f"{os.path.relpath(entry.path, root)} is setuid or setgid")
    return status.st_size
