"""Switch: all web hosts route to the new slot in one command each; then the workers hand over.

Open WebSockets and requests under way stay with the old slot until it retires.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from slipway.fleet.fleet import FleetHost
from slipway.fleet.replies import Switched
from slipway.release.rollout import Phase, Rollout, Shipment
from slipway.release.stage import stage_on


@dataclass(frozen=True)
class Cutover:
    """Where users got the release."""

    web: Mapping[str, Switched]
    """By name, each web host's reply."""


@dataclass(frozen=True)
class Switch(Phase[Cutover]):
    """If any host fails, the protocol sends back those that switched."""

    name = "switch"
    undoing = "switch"

    shipment: Shipment

    def run(self, rollout: Rollout) -> Cutover:
        """Web hosts first: users are served before any worker finishes its jobs and hands over.

        A web host may run workers too: a handover that fails takes the host back, which must not happen once
        the release is promoted.
        """
        hosts, shipment = rollout.hosts, self.shipment
        hosts.take_in_joiners(rollout.live, lambda host: prepare(rollout, shipment, host))
        web = hosts.each(hosts.web, lambda host: switch_to(rollout, host, shipment), doing="switching")
        also = [host for host in hosts.web if web[host.name].handover and host not in hosts.workers]
        hosts.each(
            [*hosts.workers, *also],
            lambda host: switch_to(rollout, host, shipment, wait=True),
            doing="handing over the workers",
        )
        return Cutover(web)


def prepare(rollout: Rollout, shipment: Shipment, host: FleetHost) -> bool:
    """Stage and boot the release on one host that joined; True once it is ready to be switched to."""
    stage_on(rollout, shipment, host)
    host.agent.boot(order=rollout.order, release=shipment.number)
    return True


def switch_to(
    rollout: Rollout, host: FleetHost, shipment: Shipment | None, *, wait: bool = False, back: bool = False
) -> Switched:
    """Have one host serve `shipment`, and own the cron entries that are its to run.

    None is nothing (a first release that failed). `wait`: until its workers have handed over. `back`: it
    was live before, so it needs no more health than the release that it replaces.
    """
    kinds = rollout.hosts.cron_kinds(host)
    return host.agent.switch(
        order=rollout.order,
        release=shipment.number if shipment else 0,
        ticket=shipment.ticket if shipment else None,
        hold_seconds=rollout.app.retire.hold_seconds,
        wait=wait,
        back=back,
        cron_owner=bool(kinds),
        cron_kinds=kinds,
    )
