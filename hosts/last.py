"""Last: a host that was made anew around the data of an old one serves the release it served before."""

from __future__ import annotations

from hosts.effect import Effect, Placed, take_up
from hosts.file import HostFile
from hosts.plan import FleetPlan
from slipway.settings.outputs import Host

PACKAGES: tuple[str, ...] = ()


def files(_plan: FleetPlan, _host: Host) -> list[HostFile]:
    """None of its own."""
    return []


def effects(_plan: FleetPlan, _host: Host, _placed: Placed) -> list[Effect]:
    """Once in the life of a system disk; on a new host the unit's own condition makes it nothing."""
    return [take_up("live release", [], "systemctl restart slipway-restore.service")]
