"""Boot: start the release in every host's idle slot and wait until it says it is ready."""

from dataclasses import dataclass

from slipway.release.rollout import Phase, Rollout, Shipment


@dataclass(frozen=True)
class Boot(Phase[None]):
    """Any host that fails aborts the release on all."""

    name = "boot"
    undoing = "boot"

    shipment: Shipment

    def run(self, rollout: Rollout) -> None:
        rollout.hosts.each(
            rollout.hosts.all,
            lambda host: host.agent.boot(order=rollout.order, release=self.shipment.number),
            doing="booting",
        )
