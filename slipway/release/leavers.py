"""Leavers: hosts that the platform took away while a command was at work on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipway.settings.errors import ReleaseFailed

if TYPE_CHECKING:
    from slipway.release.rollout import Rollout


def drop_leavers(rollout: Rollout) -> None:
    """Go on without the hosts that are no longer of the fleet; ReleaseFailed if no web host is left."""
    here = {host.name for host in rollout.fleet.hosts}
    gone = [host for host in rollout.app_hosts if host.name not in here]
    if not gone:
        return
    had_web = bool(rollout.web_hosts)
    rollout.app_hosts = [host for host in rollout.app_hosts if host.name in here]
    for host in gone:
        rollout.progress.host(host.name, "has left the fleet; going on without it")
        rollout.warnings.append(f"{host.name} left the fleet during this command; it went on without it")
    if had_web and not rollout.web_hosts:
        names = ", ".join(host.name for host in gone)
        raise ReleaseFailed(
            "no web host is left in the fleet",
            details=[f"{names} left during this command"],
            remedy="when new ones have started, look with slipway status, then run the command again",
        )
