"""Close previews: one by its name, or all that are older than the app lets them be."""

from collections.abc import Iterator

from slipway.preview.bucket import tidy
from slipway.preview.host import Closed, Listed, PreviewHost, Seen
from slipway.preview.open import LEASE_SECONDS
from slipway.preview.own import key_of
from slipway.progress import Progress
from slipway.settings import SlipwayError
from slipway.stack import LiveStack


class Interrupted(SlipwayError):
    """A person cut the command off; the message says what the host had by then."""

    exit_code = 130


def close_preview(live: LiveStack, name: str, progress: Progress) -> Closed:
    """Remove the preview `name` with everything that was made for it. Quiet if there is none."""
    key_of(live)
    host = PreviewHost(live)
    with progress.phase("close"):
        # The host first, and without the lease: what is at work on this preview holds it, and is ended.
        closed = host.close(name)
        with live.lease(wait_seconds=LEASE_SECONDS):
            tidy(live, host.listed().previews)
    return closed


def listed(live: LiveStack) -> Listed:
    """The previews of the stack, as their host has them."""
    key_of(live)
    return PreviewHost(live).listed()


def sweep(live: LiveStack, progress: Progress) -> Iterator[Seen]:
    """Close, and yield, each preview that was opened or updated longer ago than `preview.max_age_hours`."""
    found = listed(live)
    for preview in found.previews:
        if found.now - (preview.updated or preview.opened) > live.app.preview.max_age_hours * 3600:
            close_preview(live, preview.name, progress)
            yield preview
