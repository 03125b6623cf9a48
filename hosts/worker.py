"""A worker host: everything it needs beyond the base comes with a release."""

from __future__ import annotations

from hosts.base import restore_live_release
from hosts.plan import FleetPlan
from slipway.settings import Host

PACKAGES: tuple[str, ...] = ()


def deploy(_plan: FleetPlan, _host: Host) -> None:
    """Nothing runs before the first release."""
    restore_live_release()
