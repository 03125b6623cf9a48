"""Which modules make a host of which role, in the order in which they act."""

from __future__ import annotations

from typing import Protocol

from hosts import aws, base, edge, last, web, worker
from hosts.data import backup, pgbouncer, postgres, redis, s3
from hosts.effect import Effect, Placed, take_up
from hosts.file import HostFile
from hosts.plan import FleetPlan
from slipway.settings.outputs import Host, Role


class Module(Protocol):
    """One part of a host's set-up: what it needs, what it places, and how that takes effect."""

    @property
    def PACKAGES(self) -> tuple[str, ...]:
        """Debian packages, installed if they are missing."""
        ...

    def files(self, plan: FleetPlan, host: Host, /) -> list[HostFile]:
        """Pure: the same plan gives the same files."""
        ...

    def effects(self, plan: FleetPlan, host: Host, placed: Placed, /) -> list[Effect]:
        """What puts the placed files into effect, in this order. Pure, too."""
        ...


MODULES: dict[Role, tuple[Module, ...]] = {
    "edge": (base, edge),
    "web": (base, web, last),
    "worker": (base, worker, last),
    "data": (base, postgres, pgbouncer, redis, s3, backup),
}


def modules(plan: FleetPlan, host: Host) -> tuple[Module, ...]:
    """Those of the role, and on AWS what a host needs that looks after itself."""
    return (*MODULES[host.role], aws) if plan.aws else MODULES[host.role]


def packages(plan: FleetPlan, host: Host) -> list[str]:
    """Packages of `host`, each once."""
    return sorted({name for module in modules(plan, host) for name in module.PACKAGES})


def files(plan: FleetPlan, host: Host) -> list[HostFile]:
    """All files of `host`, in the order in which they are placed."""
    return [file for module in modules(plan, host) for file in module.files(plan, host)]


def effects(plan: FleetPlan, host: Host) -> list[Effect]:
    """All that puts the files of `host` into effect, once they are placed."""
    placed = {file.path: file for file in files(plan, host)}
    units = [file for path, file in placed.items() if path.startswith("/etc/systemd/system/")]
    reload = take_up("systemd units", units, "systemctl daemon-reload")
    return [
        reload,
        *(effect for module in modules(plan, host) for effect in module.effects(plan, host, placed)),
    ]
