"""Boot: start the release in every web host's idle slot and wait until it says it is ready."""

from __future__ import annotations

from slipway.release.phase import Phase
from slipway.release.rollout import Rollout


class Boot(Phase):
    """Any host that fails aborts the release on all."""

    name = "boot"

    def run(self, rollout: Rollout) -> None:
        """Start and wait, on all hosts at once."""
        rollout.each(
            rollout.app_hosts,
            lambda host: host.agent.boot(fence=rollout.lease.fence, release=rollout.number),
            doing="booting",
        )
