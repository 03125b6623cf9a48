"""Finding a build by its input: in the builds bucket, or among what this machine built lately."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.build import cache
from slipway.build.manifest import Manifest, canonical, load_manifest, read_manifest
from slipway.settings.errors import SlipwayError
from slipway.storage.bucket import BucketError

if TYPE_CHECKING:
    from slipway.storage.bucket import Bucket

Found = tuple[Manifest, Mapping[str, Path], bytes]
"""Manifest, layer files by digest, SBOM; no files and no SBOM when all of it is in the bucket."""


def find_build(digest: str, bucket: Bucket | None) -> Found | None:
    """The build of the input `digest`, if there is a whole one; a damaged or pruned one counts as none."""
    try:
        return (_in_bucket(digest, bucket) if bucket else None) or _in_cache(digest)
    except BucketError:
        raise
    except SlipwayError:
        return None


def keep_build(manifest: Manifest, sbom: bytes) -> None:
    """Remember a build that was just made; its layers lie in the cache."""
    record = {"manifest": manifest.model_dump(mode="json"), "sbom": json.loads(sbom)}
    cache.remember("builds", manifest.input, record)


def _in_bucket(digest: str, bucket: Bucket) -> Found | None:
    found = bucket.get_json(f"inputs/{digest.removeprefix('sha256:')}.json")
    if found is None:
        return None
    manifest = load_manifest(bucket, str(found[0].get("build")))
    with ThreadPoolExecutor(max_workers=3) as pool:
        there = list(pool.map(bucket.exists, [layer.key for layer in manifest.layers]))
    return (manifest, {}, b"") if all(there) else None


def _in_cache(digest: str) -> Found | None:
    record = cache.recall("builds", digest)
    if record is None:
        return None
    manifest = read_manifest(record["manifest"], f"the record of {digest}")
    layers: dict[str, Path] = {}
    for layer in manifest.layers:
        path = cache.layer_path(layer.digest)
        if not path.exists() or path.stat().st_size != layer.size:
            return None
        path.touch()
        layers[layer.digest] = path
    return manifest, layers, canonical(record["sbom"])
