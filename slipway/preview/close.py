"""Close previews: one by its name, or all that are older than the app lets them be."""

import shutil
from collections.abc import Iterator, Sequence

from slipway.build.manifest import Layer, load_manifest
from slipway.part import PREVIEWS
from slipway.preview.host import Closed, Listed, PreviewHost, Seen
from slipway.preview.own import key_of
from slipway.progress import Progress
from slipway.settings import SlipwayError
from slipway.stack import LiveStack

LEASE_SECONDS = 600.0
"""How long a command waits for another one that changes the same fleet's previews."""


def close_preview(live: LiveStack, name: str, progress: Progress) -> Closed:
    """Remove the preview `name` with everything that was made for it. Quiet if there is none."""
    key_of(live)
    host = PreviewHost(live)
    with progress.phase("close"):
        # The host first, and without the lease: what is at work on this preview holds it, and is ended.
        closed = host.close(name)
        with live.lease(wait_seconds=LEASE_SECONDS):
            tidy(live, host.listed().previews)
        shutil.rmtree(live.state_dir / PREVIEWS / name, ignore_errors=True)
    return closed


def listed(live: LiveStack) -> Listed:
    """The previews of the stack, as their host has them."""
    key_of(live)
    return PreviewHost(live).listed()


def sweep(live: LiveStack, progress: Progress) -> Iterator[Seen]:
    """Close, and yield, each preview that was opened or updated longer ago than `preview.max_age_hours`."""
    found = listed(live)
    if strays := PreviewHost(live).tidy():
        progress.line(f"databases of a host that is gone are removed: {', '.join(strays)}")
    for preview in found.previews:
        if found.now - (preview.updated or preview.opened) > live.app.preview.max_age_hours * 3600:
            close_preview(live, preview.name, progress)
            yield preview


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
