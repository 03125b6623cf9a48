"""What previews have in the builds bucket, and what is taken out again."""

from collections.abc import Sequence

from slipway.build.manifest import Layer, load_manifest
from slipway.preview.host import Seen
from slipway.settings import SlipwayError
from slipway.stack import LiveStack


def tidy(live: LiveStack, previews: Sequence[Seen]) -> None:
    """Delete builds that none of `previews` and no release of the stack has. The caller holds the lease.

    By what is in the bucket, so that it also finds what a command that was cut off has left.
    """
    bucket = live.bucket
    kept = {build for preview in previews for build in preview.builds}
    layers = {layer_key(digest) for each in previews for of in each.builds.values() for digest in of.layers}
    released = {release.build for release in live.ledger.history(1_000_000)}
    whole = True
    for build in released:
        try:
            layers |= {layer.key for layer in load_manifest(bucket, build).layers}
        except SlipwayError:
            whole = False  # which layers it has is not known, so none is deleted
    kept |= released
    for key in list(bucket.list("builds/")):
        if key.removeprefix("builds/").partition(".")[0] not in kept:
            bucket.delete(key)
    for key in list(bucket.list("inputs/")):
        found = bucket.get_json(key)
        if found and found[0].get("build") not in kept:
            bucket.delete(key)
    for key in list(bucket.list("layers/")) if whole else ():
        if key not in layers:
            bucket.delete(key)


def layer_key(digest: str) -> str:
    """Key of the layer with `digest`."""
    return Layer(kind="app", digest=digest, size=0, unpacked_size=0).key
