"""Switch: all web hosts route to the new slot in one command each; then the workers hand over.

Open WebSockets and requests under way stay with the old slot until it retires.
"""

from __future__ import annotations

import time

from slipway.errors import NeedsPerson, SlipwayError
from slipway.fleet.fleet import FleetHost
from slipway.fleet.replies import Switched
from slipway.pipeline.phase import Phase
from slipway.pipeline.rollout import Rollout


class Switch(Phase):
    """Any host that fails sends back those that switched."""

    name = "switch"

    def run(self, rollout: Rollout) -> None:
        """Web first: users are served before any worker quiets its old self and finishes its jobs."""
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


def switch_to(rollout: Rollout, host: FleetHost, release: int, *, wait: bool = False) -> Switched:
    """Have one host serve `release`; 0 is no release (a first release that failed)."""
    kinds = cron_kinds(rollout, host)
    return host.agent.switch(
        fence=rollout.lease.fence,
        release=release,
        hold_seconds=rollout.project.app.retire.hold_seconds,
        wait=wait,
        cron_owner=bool(kinds),
        cron_kinds=kinds,
    )


def cron_kinds(rollout: Rollout, host: FleetHost) -> list[str]:
    """Which cron entries this host owns: paths are the first web host's, commands the first worker's."""
    web, workers = rollout.web_hosts, rollout.worker_hosts
    owners = {"path": (web or workers)[:1], "command": (workers or web)[:1]}
    return [kind for kind, owner in owners.items() if host in owner]
