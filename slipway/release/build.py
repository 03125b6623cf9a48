"""Build: the source becomes an immutable, content-addressed build; an unchanged one is found, not made."""

from __future__ import annotations

from slipway.build.build import build
from slipway.release.phase import Phase
from slipway.release.rollout import Rollout


class BuildPhase(Phase):
    """Touches neither hosts nor bucket."""

    name = "build"
    touches_fleet = False

    def run(self, rollout: Rollout) -> None:
        """Build, or find that this very input was built before."""
        rollout.build = build(
            rollout.project, bucket=rollout.bucket, progress=rollout.progress, redact=rollout.redactor.text
        )
