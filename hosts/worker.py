"""A worker host: everything it needs beyond the base comes with a release."""

from __future__ import annotations

from hosts.effect import Placed
from hosts.placed import HostFile
from hosts.plan import FleetPlan
from slipway.settings.outputs import Host

PACKAGES: tuple[str, ...] = ()


def files(_plan: FleetPlan, _host: Host) -> list[HostFile]:
    """None of its own."""
    return []


def start(_plan: FleetPlan, _host: Host, _placed: Placed) -> None:
    """Nothing runs before the first release."""
