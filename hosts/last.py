"""Last: a host that was made anew around the data of an old one serves the release it served before."""

from __future__ import annotations

from hosts.effect import Placed, take_up
from hosts.placed import HostFile
from hosts.plan import FleetPlan
from slipway.settings.outputs import Host

PACKAGES: tuple[str, ...] = ()


def files(_plan: FleetPlan, _host: Host) -> list[HostFile]:
    """None of its own."""
    return []


def start(_plan: FleetPlan, _host: Host, _placed: Placed) -> None:
    """Once in the life of a system disk; on a new host the unit's own condition makes it nothing."""
    take_up("live release", [], "systemctl restart slipway-restore.service")
