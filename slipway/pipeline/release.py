"""Ship: one release from source to last known good."""

from __future__ import annotations

import time

from slipway.pipeline.boot import Boot
from slipway.pipeline.build import BuildPhase
from slipway.pipeline.engine import execute
from slipway.pipeline.migrate import Migrate
from slipway.pipeline.observe import ObservePhase
from slipway.pipeline.open import OpenStack
from slipway.pipeline.phase import Phase
from slipway.pipeline.preflight import PreflightPhase
from slipway.pipeline.promote import Promote
from slipway.pipeline.prove import Prove
from slipway.pipeline.publish import Publish
from slipway.pipeline.recover import recover
from slipway.pipeline.report import Report, report_on
from slipway.pipeline.retire import Retire
from slipway.pipeline.rollout import Options
from slipway.pipeline.smoke import Smoke
from slipway.pipeline.stage import Stage
from slipway.pipeline.switch import Switch
from slipway.progress import Progress
from slipway.settings.project import Project

PHASES: tuple[type[Phase], ...] = (
    PreflightPhase,
    BuildPhase,
    Publish,
    Migrate,
    Stage,
    Boot,
    Smoke,
    Switch,
    ObservePhase,
    Prove,
    Promote,
    Retire,
)


def ship(project: Project, options: Options, progress: Progress) -> Report:
    """Take the app as it is in the work tree to the stack; see `slipway release --help`."""
    began = time.monotonic()
    stack = OpenStack(project)
    with stack.lease(options.wait_seconds) as lease:
        rollout = stack.rollout(lease, progress, options)
        rollout.statuses = stack.statuses()
        recover(rollout)
        before = rollout.live
        phases = execute(rollout, [phase() for phase in PHASES])
    return report_on(rollout, rollout.manifest.id, phases, time.monotonic() - began, came_from=before)
