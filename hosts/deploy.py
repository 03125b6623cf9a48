"""Which deploys make a host of which roles, in order."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from typing import Protocol

from pyinfra.context import host as current_host
from pyinfra.facts.deb import DebPackages
from pyinfra.facts.server import Command
from pyinfra.operations import apt, server

from hosts import acme, app, aws, base, previews, redis_tls, serving
from hosts.data import backup, pgbouncer, postgres, redis, s3
from hosts.operations import install
from hosts.plan import SETUP_DIGEST, FleetPlan
from slipway.settings import Host, Role

DIGESTS = ("/etc/slipway/setup.digest", SETUP_DIGEST)
"""The second, on the system disk, is what counts: the first may outlive a rebuild on a data disk."""


class Deploy(Protocol):
    """One part of a host's set-up: a module of pyinfra operations."""

    @property
    def PACKAGES(self) -> tuple[str, ...]:
        """Debian packages that it needs."""
        ...

    def deploy(self, plan: FleetPlan, host: Host, /) -> None:
        """Add its operations, which run in this order."""
        ...


ROLES: dict[Role, tuple[Deploy, ...]] = {
    "data": (postgres, pgbouncer, redis, s3, backup),
    "edge": (serving,),
    "web": (serving, app, previews),
    "worker": (app,),
}
"""In the order in which a host gets them: the app starts when its data and its requests are there."""


def deploys(plan: FleetPlan, host: Host) -> tuple[Deploy, ...]:
    """What every host has, each part of the roles once, and what only some fleets have."""
    parts = dict.fromkeys(part for role, its in ROLES.items() if host.is_any(role) for part in its)
    certificate: tuple[Deploy, ...] = (acme,) if acme.wanted(plan, host) else ()
    redis: tuple[Deploy, ...] = (redis_tls,) if redis_tls.wanted(plan, host) else ()
    return (base, *parts, *redis, *certificate, *((aws,) if plan.hosts_come_and_go else ()))


def packages(plan: FleetPlan, host: Host) -> list[str]:
    """Packages of `host`, each once."""
    found = {name for each in deploys(plan, host) for name in each.PACKAGES}
    return sorted(found.union(previews.packages(plan, host)))


def deploy(plan: FleetPlan, host: Host, digest: str) -> None:
    """Everything that makes `host`; `digest` is left on it once all is done."""
    install_packages(packages(plan, host))
    for each in deploys(plan, host):
        each.deploy(plan, host)
    for path in DIGESTS:
        install(name="digest", src=f"{digest}\n", dest=path, mode="600")


def install_packages(wanted: list[str]) -> None:
    """Only what is missing: a baked image needs neither package lists nor network."""
    installed = current_host.get_fact(DebPackages)
    missing = [name for name in wanted if name not in installed]
    if not missing:
        return
    if current_host.get_fact(Command, command="dpkg --audit"):
        finish = ["dpkg --configure -a"]
        server.shell(name="finish interrupted installations", commands=finish, _retries=60, _retry_delay=5)
    # On a machine that has just started, its own updates may hold apt's locks for minutes.
    apt.update(name="package lists", _retries=60, _retry_delay=5)
    apt.packages(
        name=f"packages {' '.join(missing)}",
        packages=missing,
        no_recommends=True,
        extra_install_args="-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0",
        _env={"NEEDRESTART_SUSPEND": "1"},
        _retries=3,
    )
