"""Who may connect to which host, and where an app may not: the nftables table `inet slipway`, no other."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

from pyinfra.operations import systemd

from hosts.agent.accounts import FIRST, LAST
from hosts.agent.units import METADATA
from hosts.operations import install, on_change
from hosts.plan import REDIS_PORT, REDIS_TLS_PORT, WEB_PORT, WEB_TLS_PORT, FleetPlan
from hosts.render import render
from hosts.units import at_boot, unit
from slipway.settings import Host, Role

FIREWALL = "/etc/slipway/firewall.nft"
FAMILIES = {4: "ip", 6: "ip6"}


@dataclass(frozen=True)
class Opening:
    """A port of `role` hosts that hosts of other roles, or anyone, may connect to."""

    role: Role
    port: int
    to: tuple[Role, ...]
    """Roles that may connect; none: anyone."""
    why: str


OPENINGS = (
    Opening("edge", 80, (), "redirect to https"),
    Opening("edge", 443, (), "the site"),
    Opening("edge", 8444, (), "uploads"),
    Opening("web", WEB_PORT, ("edge",), "requests and health checks"),
    Opening("web", WEB_TLS_PORT, ("edge",), "requests and health checks by TLS"),
    Opening("data", 5432, ("web", "worker"), "postgresql: migrations"),
    Opening("data", 6432, ("web", "worker"), "pgbouncer"),
    Opening("data", REDIS_PORT, ("web", "worker"), "redis"),
    Opening("data", REDIS_TLS_PORT, ("web", "worker"), "redis by TLS"),
    Opening("data", 7070, ("edge", "web", "worker"), "s3"),
)


def deploy(plan: FleetPlan, host: Host) -> None:
    """Load the ruleset now and at every boot."""
    unit("slipway-firewall.service")
    install(name=FIREWALL, src=ruleset(plan, host), dest=FIREWALL, mode="600", validate="nft -c -f {}")
    systemd.service(name="firewall", service="slipway-firewall.service", running=True, enabled=True)
    on_change(name="firewall reload", files=[FIREWALL], command="systemctl reload slipway-firewall.service")
    # Debian's own unit flushes the whole ruleset when it stops.
    at_boot("nftables.service", enabled=False)


def ruleset(plan: FleetPlan, host: Host) -> str:
    """The nftables script of `host`."""
    return render(
        "base/firewall.nft.j2",
        ssh_ports=_ssh_ports(plan, host),
        rules=rules(plan, host),
        metadata=[(FAMILIES[ip_network(each).version], each) for each in METADATA],
        accounts=f"{FIRST}-{LAST}",
    )


def rules(plan: FleetPlan, host: Host) -> list[str]:
    """The openings of `host`, with the addresses of those who may connect: itself it reaches by loopback."""
    return [rule for opening in openings(plan, host) for rule in _rules_of(plan, host, opening)]


def openings(plan: FleetPlan, host: Host) -> list[Opening]:
    """The openings of `host`."""
    shut = {
        *(() if plan.tls_to_web else (WEB_TLS_PORT,)),
        *(() if plan.outputs.redis_clients else (REDIS_TLS_PORT,)),
        *(() if plan.redis_in_plain else (REDIS_PORT,)),
    }
    return [opening for opening in OPENINGS if host.is_any(opening.role) and opening.port not in shut]


def _ssh_ports(plan: FleetPlan, host: Host) -> list[int]:
    return {"direct": sorted({22, host.ssh_port}), "published": [22], "loopback": []}[plan.ssh_access]


def _rules_of(plan: FleetPlan, host: Host, opening: Opening) -> list[str]:
    accept = f'tcp dport {opening.port} accept comment "{opening.why}"'
    if not opening.to:
        return [accept]
    addresses = [address for address in _may_connect(plan, opening.to) if address != host.address]
    families = {"ip": [a for a in addresses if ":" not in a], "ip6": [a for a in addresses if ":" in a]}
    return [
        f"{family} saddr {{ {', '.join(members)} }} {accept}"
        for family, members in families.items()
        if members
    ]


def _may_connect(plan: FleetPlan, roles: tuple[Role, ...]) -> list[str]:
    """Addresses of `roles`. A load balancer in the edge's place has no fixed address, only a network."""
    addresses = plan.addresses(*roles)
    if plan.load_balancer and "edge" in roles:
        addresses.append(plan.load_balancer.network)
    return addresses
