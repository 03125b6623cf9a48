"""What the releases that hosts may hold have left on them: units, timers and env files of their processes."""

from hosts.inventory.released import Released
from slipway.build.manifest import load_manifest
from slipway.settings import App, SlipwayError
from slipway.storage.bucket import Bucket
from slipway.storage.ledger import Ledger


def released(app: App, ledger: Ledger, bucket: Bucket) -> Released:
    """The app as declared now, the live release, the good ones beside it, and one under way."""
    head = ledger.head()
    live = head.live
    before = ledger.previous_good(before=live) if live else None
    found = Released({*app.processes, *(f"cron-{name}" for name in app.cron)})
    decided = ledger.get(head.record) if head.record else None
    gone = ledger.get(decided.gone) if decided and decided.gone is not None else None
    every = (ledger.get(live) if live else None, before, gone, ledger.unfinished())
    for build in {each.build for each in every if each is not None and each.build}:
        try:
            manifest = load_manifest(bucket, build)
        except SlipwayError:
            continue  # made by an older slipway, which this one does not read
        processes = {name: each.model_dump(mode="json") for name, each in manifest.processes.items()}
        found.add(build, processes, manifest.cron, manifest.image and manifest.image.model_dump(mode="json"))
    return found
