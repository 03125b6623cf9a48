"""A worker host: everything it needs beyond the base comes with a release."""

from __future__ import annotations

from hosts.effect import Effect, Placed
from hosts.file import HostFile
from hosts.plan import FleetPlan
from slipway.settings.outputs import Host

PACKAGES: tuple[str, ...] = ()


def files(_plan: FleetPlan, _host: Host) -> list[HostFile]:
    """None of its own."""
    return []


def effects(_plan: FleetPlan, _host: Host, _placed: Placed) -> list[Effect]:
    """Nothing runs before the first release."""
    return []
