"""Ship: one release from source to last known good."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from slipway.pipeline.boot import Boot
from slipway.pipeline.build import BuildPhase
from slipway.pipeline.engine import execute
from slipway.pipeline.migrate import Migrate
from slipway.pipeline.observe import ObservePhase
from slipway.pipeline.open import OpenStack
from slipway.pipeline.phase import Phase
from slipway.pipeline.preflight import PreflightPhase
from slipway.pipeline.promote import Promote
from slipway.pipeline.publish import Publish
from slipway.pipeline.recover import recover
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
    Promote,
    Retire,
)


@dataclass(frozen=True)
class ReleaseReport:
    """What a release did."""

    number: int
    build: str
    url: str
    seconds: float
    phases: dict[str, float]
    """Seconds by phase."""
    switched_ms: dict[str, float]
    """How long each host's switch took on the host, in milliseconds."""
    warnings: list[str] = field(default_factory=list[str])

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "release": self.number,
            "build": self.build,
            "url": self.url,
            "seconds": round(self.seconds, 3),
            "phases": self.phases,
            "switched_ms": self.switched_ms,
            "warnings": self.warnings,
        }


def ship(project: Project, options: Options, progress: Progress) -> ReleaseReport:
    """Take the app as it is in the work tree to the stack; see `slipway release --help`."""
    began = time.monotonic()
    stack = OpenStack(project)
    with stack.lease(options.wait_seconds) as lease:
        rollout = stack.rollout(lease, progress, options)
        rollout.statuses = stack.statuses()
        recover(rollout)
        seconds = execute(rollout, [phase() for phase in PHASES])
    return ReleaseReport(
        number=rollout.number,
        build=rollout.manifest.id,
        url=rollout.outputs.url,
        seconds=time.monotonic() - began,
        phases=seconds,
        switched_ms=rollout.switched_ms,
        warnings=rollout.warnings,
    )
