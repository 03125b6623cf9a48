"""Switch: all web hosts route to the new slot in one command each; then the workers hand over.

Open WebSockets and requests under way stay with the old slot until it retires.
"""

from __future__ import annotations

import time

from slipway.release.joiners import take_in_joiners
from slipway.release.phase import Phase
from slipway.release.rollout import Rollout
from slipway.release.switch_to import switch_to
from slipway.settings.errors import NeedsPerson, SlipwayError


class Switch(Phase):
    """Any host that fails sends back those that switched."""

    name = "switch"

    def run(self, rollout: Rollout) -> None:
        """Web first: users are served before any worker quiets its old self and finishes its jobs."""
        take_in_joiners(rollout, switched=False)
        rollout.observed_from = time.time()
        rollout.switched = rollout.each(
            rollout.web_hosts, lambda host: switch_to(rollout, host, rollout.number), doing="switching"
        )
        rollout.each(
            rollout.worker_hosts,
            lambda host: switch_to(rollout, host, rollout.number, wait=True),
            doing="handing over the workers",
        )

    def undo(self, rollout: Rollout) -> None:
        """Send every host back to the release that served before."""
        back_to = rollout.live or 0
        try:
            rollout.each(
                rollout.web_hosts, lambda host: switch_to(rollout, host, back_to), doing="switching back"
            )
            rollout.each(
                rollout.worker_hosts,
                lambda host: switch_to(rollout, host, back_to, wait=True),
                doing="handing the workers back",
            )
        except SlipwayError as failure:
            raise NeedsPerson(
                f"release {rollout.number} failed, and not every host went back to release {back_to}",
                remedy="make the hosts named here reachable, then run "
                f"`slipway status --stack {rollout.outputs.stack}`: it finishes the way back",
                details=[failure.message, *failure.details],
            ) from failure
