"""Ship: one release from source to last known good, phase by phase."""

import time

from slipway.progress import Progress
from slipway.release import (
    boot,
    build,
    migrate,
    observe,
    preflight,
    promote,
    prove,
    publish,
    retire,
    smoke,
    stage,
    switch,
)
from slipway.release.hold import refuse_held
from slipway.release.phases import Phases, Report, noticing_preemption
from slipway.release.preempt import stopping_at_loss
from slipway.release.recover import recover
from slipway.release.rollout import Options, open_rollout
from slipway.stack import LiveStack


def ship(stack: LiveStack, options: Options, progress: Progress) -> Report:
    """Take the app as it is in the work tree to the stack; see `slipway release --help`."""
    began = time.monotonic()
    refuse_held(stack, options)
    with stack.lease(options.wait_seconds, yields=True) as lease:
        rollout = open_rollout(stack, lease, progress, stack.statuses, options)
        with noticing_preemption(rollout):
            rollout = recover(rollout).rollout
        with Phases(rollout) as phases, stopping_at_loss(lease):
            checked = phases.run(preflight.Preflight())
            built = phases.run(build.BuildSource())
            shipment = phases.run(publish.Publish(checked, built)).shipment
            schema = phases.run(migrate.Migrate(shipment))
            phases.run(stage.Stage(shipment))
            phases.run(boot.Boot(shipment))
            phases.run(smoke.Smoke(shipment))
            cutover = phases.run(switch.Switch(shipment))
            phases.run(observe.Observe(shipment, cutover))
            phases.run(prove.Prove(shipment))
            last = promote.Promote(shipment, schema)
            phases.run(last)
            phases.run(retire.Retire(shipment.number))
    return phases.report({**cutover.web, **last.joined}, time.monotonic() - began)
