"""A host that runs processes of the app: everything they need beyond the base comes with a release."""

from __future__ import annotations

from hosts.base import restore_live_release
from hosts.plan import FleetPlan
from slipway.settings import Host

PACKAGES: tuple[str, ...] = ()


def deploy(_plan: FleetPlan, _host: Host) -> None:
    """The release that was live before a rebuild; nothing runs before the first one."""
    restore_live_release()
