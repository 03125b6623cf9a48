"""Retire: the old slot stays warm for the hold time, then a timer on its host drains it.

The command does not wait for that, and nothing that fails here can fail a release that is already live.
"""

from dataclasses import dataclass

from slipway.release.rollout import Phase, Rollout
from slipway.release.status import was_killed
from slipway.settings import SlipwayError


@dataclass(frozen=True)
class Retire(Phase[None]):
    """The hold began with the switch; here builds that no slot needs make room.

    Hosts also learn that the release was promoted: from now on they refuse what was signed before it.
    """

    name = "retire"

    promoted: int

    def run(self, rollout: Rollout) -> None:
        try:
            pruned = rollout.hosts.each(
                rollout.hosts.all,
                lambda host: host.agent.prune(
                    keep=rollout.app.retire.keep_builds, promoted=self.promoted, order=rollout.order
                ),
                doing="pruning old builds",
            )
        except SlipwayError as failure:
            rollout.warnings.append(f"old builds were not pruned: {failure.message}")
            return
        for host, reply in pruned.items():
            for process, killed in reply.killed.items():
                if killed.fence == rollout.order.fence:
                    rollout.warnings.append(f"{host}: {was_killed(process, killed)}")
