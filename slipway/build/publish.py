"""Publish: a build's layers, SBOM and manifest into the builds bucket; what is there is not sent again.

The manifest is written last, so a manifest in the bucket promises that everything it names is there.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from slipway.build.build import Build
from slipway.build.cache import file_digest
from slipway.build.manifest import Layer, input_key
from slipway.progress import Progress, Silent
from slipway.settings import SlipwayError
from slipway.storage.bucket import Bucket, Conflict

AT_ONCE = 3


@dataclass(frozen=True)
class PublishReport:
    """What was sent: digests of the layers that were uploaded and that were there already, and bytes."""

    build: str
    uploaded: list[str]
    reused: list[str]
    bytes: int


def publish(build: Build, bucket: Bucket, *, progress: Progress | None = None) -> PublishReport:
    """Upload what `bucket` lacks of `build`, verified by checksum. Safe to repeat and to interrupt.

    Raises SlipwayError if a layer in this machine's cache was damaged; BucketError from the bucket.
    """
    manifest = build.manifest
    if build.origin == "bucket":
        return PublishReport(manifest.id, [], [layer.digest for layer in manifest.layers], 0)
    line = (progress or Silent()).line

    def send(layer: Layer) -> int:
        return _send(build, layer, bucket, line)

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload") as pool:
        sent = list(pool.map(send, manifest.layers))
    _once(bucket, f"builds/{manifest.id}.cdx.json", json.loads(build.sbom))
    _once(bucket, manifest.key, manifest.model_dump(mode="json"))
    bucket.put_json(input_key(manifest.input), {"build": manifest.id})
    digests = [layer.digest for layer in manifest.layers]
    return PublishReport(
        manifest.id,
        uploaded=[digest for digest, count in zip(digests, sent, strict=True) if count],
        reused=[digest for digest, count in zip(digests, sent, strict=True) if not count],
        bytes=sum(sent),
    )


def _send(build: Build, layer: Layer, bucket: Bucket, line: Callable[[str], None]) -> int:
    """Bytes sent: 0 if the layer was there."""
    if bucket.exists(layer.key):
        return 0
    path = build.layers[layer.digest]
    if f"sha256:{file_digest(path)}" != layer.digest:
        path.unlink()
        raise SlipwayError(
            f"the {layer.kind} layer in {path.parent} was damaged and has been removed",
            remedy="run the command again; it is built again",
        )
    line(f"uploading the {layer.kind} layer, {layer.size / 1e6:.1f} MB")
    bucket.put_file(layer.key, path, sha256=layer.digest.removeprefix("sha256:"))
    return layer.size


def _once(bucket: Bucket, key: str, content: dict[str, object]) -> None:
    """Write an object whose name follows from its content; another writer's is the same."""
    try:
        bucket.put_json(key, content, if_none_match=True)
    except Conflict:
        return
