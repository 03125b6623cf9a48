"""Bring a build's layers to the host: only the missing ones, in parallel, verified before they are unpacked.

A layer's folder is trusted only if it holds the marker `complete`, and it gets its name only when everything
in it is on the disk.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import threading

from . import durable, s3, spawn
from .errors import AgentError
from .fields import Fields
from .host import Builds
from .paths import Paths
from .unpack import unpack

MARGIN = 64 << 20
"""Bytes that must stay free beyond what a build needs: logs and the state file live on the same disk."""


class Layer:
    """An entry of the manifest's `layers`; sizes in bytes."""

    def __init__(self, fields: Fields) -> None:
        self.kind = fields.text("kind")
        self.digest = fields.text("digest")
        self.size = fields.whole("size")
        self.unpacked_size = fields.whole("unpacked_size")
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", self.digest):
            raise AgentError(
                "bad_request", f"{fields.where}.digest: must be sha256:<64 hex>, got {self.digest}"
            )

    @property
    def key(self) -> str:
        """Where it lies in the builds bucket."""
        return f"layers/{self.digest.replace(':', '-')}.tar.zst"


class Fetched:
    """What `fetch` did; seconds are measured by the caller."""

    def __init__(self) -> None:
        self.downloaded: list[str] = []
        self.reused: list[str] = []
        self.bytes = 0


def present(paths: Paths, digest: str) -> bool:
    """Is the layer here, complete?"""
    return os.path.exists(f"{paths.layer(digest)}/complete")


def fetch(paths: Paths, builds: Builds, layers: list[Layer]) -> Fetched:
    """Make every layer present; `disk_full` says what is needed and there is, before anything is fetched."""
    done = Fetched()
    missing = [layer for layer in layers if not present(paths, layer.digest)]
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
    """Refuse (`disk_full`) if `needed` bytes and the margin do not fit on the disk of /srv/slipway."""
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
    """Bytes in MiB, for people."""
    return count >> 20


def _bring(paths: Paths, builds: Builds, layer: Layer) -> None:
    mark = f"{layer.digest.removeprefix('sha256:')}.{os.getpid()}"
    archive, folder = f"{paths.work}/{mark}.tar.zst", f"{paths.work}/{mark}"
    try:
        _download(paths, builds, layer, archive)
        unpack(archive, f"{folder}/root")
        durable.write(f"{folder}/complete", f"{layer.kind}\n".encode(), 0o644, sync=False)
        _flush(folder)
        shutil.rmtree(paths.layer(layer.digest), ignore_errors=True)
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
        shutil.rmtree(folder, ignore_errors=True)


def _download(paths: Paths, builds: Builds, layer: Layer, archive: str) -> None:
    """Stream to `archive`; `corrupt_layer` if the bytes are not those of the digest."""
    digest = hashlib.sha256()
    with open(archive, "wb", buffering=0) as file:
        for chunk in s3.get(builds, layer.key, paths.ca if os.path.exists(paths.ca) else None):
            digest.update(chunk)
            file.write(chunk)
    got = f"sha256:{digest.hexdigest()}"
    if got != layer.digest:
        raise AgentError(
            "corrupt_layer",
            f"the bucket gave bytes of digest {got}",
            detail={"digest": layer.digest, "got": got},
        )


def _flush(folder: str) -> None:
    """Bring the unpacked files to the disk, so that the marker never outlives their content."""
    done = spawn.run("sync", "--file-system", folder)
    if done.code:
        raise AgentError("io", f"sync {folder}: {done.err}")
