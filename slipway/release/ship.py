"""Ship: one release from source to last known good, phase by phase."""

from __future__ import annotations

import time

from slipway.progress import Progress
from slipway.release.boot import Boot
from slipway.release.build import BuildSource
from slipway.release.migrate import Migrate
from slipway.release.observe import Observe
from slipway.release.phases import Phases, Report
from slipway.release.preflight import Preflight
from slipway.release.promote import Promote
from slipway.release.prove import Prove
from slipway.release.publish import Publish
from slipway.release.recover import recover
from slipway.release.retire import Retire
from slipway.release.rollout import Options, open_rollout
from slipway.release.smoke import Smoke
from slipway.release.stage import Stage
from slipway.release.switch import Switch
from slipway.settings.project import Project
from slipway.stack import LiveStack


def ship(project: Project, options: Options, progress: Progress) -> Report:
    """Take the app as it is in the work tree to the stack; see `slipway release --help`."""
    began = time.monotonic()
    stack = LiveStack(project)
    with stack.lease(options.wait_seconds) as lease:
        rollout = recover(open_rollout(stack, lease, progress, stack.statuses, options)).rollout
        with Phases(rollout) as phases:
            checked = phases.run(Preflight())
            build = phases.run(BuildSource())
            shipment = phases.run(Publish(checked, build)).shipment
            schema = phases.run(Migrate(shipment))
            phases.run(Stage(shipment))
            phases.run(Boot(shipment))
            phases.run(Smoke(shipment))
            cutover = phases.run(Switch(shipment))
            phases.run(Observe(shipment, cutover))
            phases.run(Prove(shipment))
            promote = Promote(shipment, schema)
            phases.run(promote)
            phases.run(Retire())
    return phases.report({**cutover.web, **promote.joined}, time.monotonic() - began)
