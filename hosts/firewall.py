"""Who may connect to which host: our own nftables table, and never anyone else's."""

from __future__ import annotations

from dataclasses import dataclass

from hosts.file import HostFile
from hosts.plan import FleetPlan
from hosts.render import render
from slipway.settings.outputs import Host

FIREWALL = "/etc/slipway/firewall.nft"
ANYONE = "anyone"


@dataclass(frozen=True)
class Opening:
    """A port of `role` hosts that hosts of other roles, or anyone, may connect to."""

    role: str
    port: int
    to: tuple[str, ...]
    why: str


OPENINGS = (
    Opening("edge", 80, (ANYONE,), "redirect to https"),
    Opening("edge", 443, (ANYONE,), "the site"),
    Opening("edge", 8444, (ANYONE,), "uploads"),
    Opening("web", 8080, ("edge",), "requests and health checks"),
    Opening("data", 5432, ("web", "worker"), "postgresql: migrations"),
    Opening("data", 6432, ("web", "worker"), "pgbouncer"),
    Opening("data", 6379, ("web", "worker"), "redis"),
    Opening("data", 7070, ("edge", "web", "worker"), "s3"),
)


def rules(plan: FleetPlan, host: Host) -> list[str]:
    """The openings of `host`, with the addresses of those who may."""
    return [rule for opening in OPENINGS if opening.role == host.role for rule in _rules_of(plan, opening)]


def firewall_file(plan: FleetPlan, host: Host) -> HostFile:
    """The ruleset of `host`, judged by nft before it replaces the old one."""
    text = render("base/firewall.nft.j2", ssh_ports=_ssh_ports(plan, host), rules=rules(plan, host))
    return HostFile(FIREWALL, text, "0600", check="nft -c -f {}")


def _ssh_ports(plan: FleetPlan, host: Host) -> list[int]:
    """Where sshd may be reached. A published port of a container is not the one inside.

    On AWS nowhere: sessions come from Systems Manager's agent on the host itself, by loopback.
    """
    if plan.aws:
        return []
    return [22] if plan.local else sorted({22, host.ssh_port})


def _rules_of(plan: FleetPlan, opening: Opening) -> list[str]:
    accept = f'tcp dport {opening.port} accept comment "{opening.why}"'
    if ANYONE in opening.to:
        return [accept]
    addresses = _may_connect(plan, opening.to)
    families = {"ip": [a for a in addresses if ":" not in a], "ip6": [a for a in addresses if ":" in a]}
    return [
        f"{family} saddr {{ {', '.join(members)} }} {accept}"
        for family, members in families.items()
        if members
    ]


def _may_connect(plan: FleetPlan, roles: tuple[str, ...]) -> list[str]:
    """Addresses of `roles`. The edge of AWS is a load balancer: somewhere in the network, and it moves."""
    addresses = plan.addresses(*roles)
    if plan.aws and plan.stack.aws and "edge" in roles:
        addresses.append(plan.stack.aws.network.cidr)
    return addresses
