"""Retire: the old slot stays warm for the hold time, then a timer on its host drains it.

The command does not wait for that, and nothing that fails here can fail a release that is already live.
"""

from __future__ import annotations

from slipway.release.phase import Phase
from slipway.release.rollout import Rollout
from slipway.settings.errors import SlipwayError


class Retire(Phase):
    """The hold began with the switch; here old builds make room."""

    name = "retire"

    def run(self, rollout: Rollout) -> None:
        """Prune builds that no slot needs."""
        try:
            rollout.each(
                rollout.app_hosts,
                lambda host: host.agent.prune(keep=rollout.project.app.retire.keep_builds),
                doing="pruning old builds",
            )
        except SlipwayError as failure:
            rollout.warnings.append(f"old builds were not pruned: {failure.message}")
