"""One host's switch: which release it is to serve, and whether its cron entries are its own to run."""

from __future__ import annotations

from slipway.fleet.fleet import FleetHost
from slipway.fleet.replies import Switched
from slipway.release.rollout import Rollout


def switch_to(rollout: Rollout, host: FleetHost, release: int, *, wait: bool = False) -> Switched:
    """Have one host serve `release`; 0 is no release (a first release that failed)."""
    kinds = cron_kinds(rollout, host)
    return host.agent.switch(
        fence=rollout.lease.fence,
        release=release,
        hold_seconds=rollout.project.app.retire.hold_seconds,
        wait=wait,
        cron_owner=bool(kinds),
        cron_kinds=kinds,
    )


def cron_kinds(rollout: Rollout, host: FleetHost) -> list[str]:
    """Which cron entries this host owns: paths are the first web host's, commands the first worker's.

    Hosts that come and go elect an owner by name (hosts/agent/cron_owner.py): it is the same one here.
    """
    web, workers = rollout.web_hosts, rollout.worker_hosts
    if not rollout.fleet.is_static:
        web, workers = (sorted(hosts, key=lambda each: each.name) for hosts in (web, workers))
    owners = {"path": (web or workers)[:1], "command": (workers or web)[:1]}
    return [kind for kind, owner in owners.items() if host in owner]
