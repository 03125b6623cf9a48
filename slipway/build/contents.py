"""What is in a build: the digest of every file of its layers, read from the layers themselves."""

from __future__ import annotations

import hashlib
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from slipway.build import cache
from slipway.build.manifest import Layer, Manifest

if TYPE_CHECKING:
    from slipway.storage.bucket import Bucket

_KIND = "contents"


def contents_of(manifest: Manifest, bucket: Bucket) -> dict[str, str]:
    """By name, `<SHA-256> <mode>` of every file and `-> target` of every link; later layers are on top.

    A layer that this machine did not pack comes from the bucket, once; its bytes must have its digest. Raises
    BucketError otherwise.
    """
    found: dict[str, str] = {}
    for layer in manifest.layers:
        found |= _of_layer(layer, bucket)
    return found


def _of_layer(layer: Layer, bucket: Bucket) -> dict[str, str]:
    known = cache.recall(_KIND, layer.digest)
    if known is not None:
        return known
    packed = cache.layer_path(layer.digest)
    if packed.exists() and cache.file_digest(packed) == layer.digest.removeprefix("sha256:"):
        found = _of_archive(packed)
    else:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "layer.tar.zst"
            bucket.get_file(layer.key, archive, sha256=layer.digest.removeprefix("sha256:"))
            found = _of_archive(archive)
    cache.remember(_KIND, layer.digest, dict(found))
    return found


def _of_archive(archive: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    with (
        archive.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        for member in tar:
            name = member.name.removeprefix("./")
            if member.issym():
                found[name] = f"-> {member.linkname}"
            elif member.isfile():
                content = tar.extractfile(member)
                digest = hashlib.file_digest(content, "sha256").hexdigest() if content else ""  # pyright: ignore[reportArgumentType]
                found[name] = f"{digest} {stat.S_IMODE(member.mode):o}"
    return found
