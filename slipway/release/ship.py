"""Ship: one release from source to last known good."""

from __future__ import annotations

import time

from slipway.progress import Progress
from slipway.release.boot import Boot
from slipway.release.build import BuildPhase
from slipway.release.engine import execute
from slipway.release.migrate import Migrate
from slipway.release.observe import ObservePhase
from slipway.release.phase import Phase
from slipway.release.preflight import PreflightPhase
from slipway.release.promote import Promote
from slipway.release.prove import Prove
from slipway.release.publish import Publish
from slipway.release.recover import recover
from slipway.release.report import Report, report_on
from slipway.release.retire import Retire
from slipway.release.rollout import Options, open_rollout
from slipway.release.smoke import Smoke
from slipway.release.stage import Stage
from slipway.release.switch import Switch
from slipway.settings.project import Project
from slipway.stack import LiveStack

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
    stack = LiveStack(project)
    with stack.lease(options.wait_seconds) as lease:
        rollout = open_rollout(stack, lease, progress, options)
        rollout.statuses = stack.statuses()
        recover(rollout)
        before = rollout.live
        phases = execute(rollout, [phase() for phase in PHASES])
    return report_on(rollout, rollout.manifest.id, phases, time.monotonic() - began, came_from=before)
