"""Who reaches whom, on which port: an answer and how, from the map of a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network

from infra.proofs.network_map import Direction, Endpoint, Network, Place, Rule, Subnet

INTERNET = "the internet"
_ANY = ip_network("0.0.0.0/0")
_TLS = 443
_REPLIES = 1024
"""First of the ports that replies go to: a network ACL keeps no state and must let them back."""


@dataclass(frozen=True)
class Answer:
    """Can it be reached, and how; or why not."""

    yes: bool
    how: str


def reach(network: Network, source: Place, target: Place, port: int) -> Answer:
    """From every subnet of `source` to every subnet of `target`, on a TCP port."""
    for one in _subnets(network, source):
        for other in _subnets(network, target):
            if not _lets(network, source.groups, "out", port, other.cidr, target.groups):
                return Answer(False, f"no group of {source.name} lets it out to port {port}")
            if not _lets(network, target.groups, "in", port, one.cidr, source.groups):
                return Answer(False, f"{target.name} does not let {source.name} in on port {port}")
            if not _acls(one, other.cidr, port) or not _acls(other, one.cidr, port, coming=True):
                return Answer(False, f"a network ACL stops {source.name} on port {port}")
    for place in (source, target):
        if not place.subnets:
            return Answer(False, f"{place.name} is in no subnet")
    return Answer(True, "within the network")


def to_internet(network: Network, source: Place, port: int = _TLS) -> Answer:
    """From every subnet of `source` to any address outside."""
    if not source.subnets:
        return Answer(False, f"{source.name} is in no subnet")
    if not _lets(network, source.groups, "out", port, IPv4Network(_ANY), ()):
        return Answer(False, f"no group of {source.name} lets it out to port {port}")
    hows: list[str] = []
    for subnet in _subnets(network, source):
        if not _acls(subnet, IPv4Network(_ANY), port):
            return Answer(False, f"the network ACL of {subnet.address} stops port {port}")
        answer = _way_out(network, subnet, public=source.public)
        if not answer.yes:
            return answer
        hows.append(answer.how)
    return Answer(True, hows[0])


def _way_out(network: Network, subnet: Subnet, *, public: bool) -> Answer:
    target = subnet.routes.get("0.0.0.0/0", "")
    if target in network.gateways:
        if public:
            return Answer(True, "by an address of its own")
        return Answer(False, f"{subnet.address} leads to an internet gateway, which needs a public address")
    if target not in network.nats:
        return Answer(False, f"{subnet.address} has no route to the internet")
    home = network.subnets.get(network.nats[target])
    if home is None or home.routes.get("0.0.0.0/0") not in network.gateways:
        return Answer(False, f"{target} is in a subnet without a route to an internet gateway")
    return Answer(True, "through a NAT gateway")


def from_internet(network: Network, target: Place, port: int) -> Answer:
    """From any address outside to every subnet of `target`."""
    if not target.public:
        return Answer(False, f"{target.name} has no public address")
    rules = [rule for rule in _rules(network, target.groups, "in") if rule.covers(port) and rule.cidr]
    outside = [rule.cidr for rule in rules if not _private(rule.cidr)]
    if not outside:
        return Answer(False, f"no group of {target.name} lets the internet in on port {port}")
    for subnet in _subnets(network, target):
        if subnet.routes.get("0.0.0.0/0") not in network.gateways:
            return Answer(False, f"{subnet.address} has no route to an internet gateway")
    everyone = {"0.0.0.0/0", "::/0"} & set(outside)
    return Answer(True, "from anywhere" if everyone else f"from {len(outside)} ranges of addresses")


def to_service(network: Network, source: Place, service: str) -> Answer:
    """From `source` to a service of AWS: by an endpoint of the network, or over the internet."""
    subnets = list(_subnets(network, source))
    if subnets and all(service in subnet.gateways for subnet in subnets):
        if _lets(network, source.groups, "out", _TLS, IPv4Network(_ANY), ()):
            return Answer(True, "through its gateway endpoint")
        return Answer(False, f"no group of {source.name} lets it out to {service}")
    for endpoint in network.endpoints:
        if endpoint.service == service and endpoint.private_names:
            return _by_endpoint(network, source, endpoint)
    answer = to_internet(network, source)
    return Answer(answer.yes, f"over the internet, {answer.how}" if answer.yes else answer.how)


def _by_endpoint(network: Network, source: Place, endpoint: Endpoint) -> Answer:
    """The service's name leads to the endpoint, so nothing else leads to it if that is closed."""
    if not network.names_resolve:
        return Answer(False, f"names of endpoint {endpoint.service} do not resolve")
    place = Place(f"endpoint {endpoint.service}", endpoint.subnets, endpoint.groups)
    answer = reach(network, source, place, _TLS)
    return Answer(answer.yes, "through its endpoint" if answer.yes else answer.how)


def ports(network: Network) -> list[int]:
    """Every port at which an answer may change: the ends of all rules, and well-known ones."""
    ends = {
        port
        for rules in network.rules.values()
        for rule in rules
        for port in (rule.first, rule.last, rule.last + 1)
        if 0 < port <= 65_535
    }
    return sorted(ends | {22, 80, 443, 5432, 6379, 8080, 65_535})


def _subnets(network: Network, place: Place) -> Iterable[Subnet]:
    return (network.subnets[each] for each in place.subnets if each in network.subnets)


def _rules(network: Network, groups: Iterable[str], direction: Direction) -> list[Rule]:
    return [rule for group in groups for rule in network.rules.get(group, ()) if rule.direction == direction]


def _lets(
    network: Network,
    groups: Iterable[str],
    direction: Direction,
    port: int,
    cidr: IPv4Network,
    others: Iterable[str],
) -> bool:
    """Does a rule of `groups` allow `port` with whoever has `cidr` and is in one of `others`?"""
    rules = [rule for rule in _rules(network, groups, direction) if rule.covers(port)]
    return any(rule.fits(cidr, other) for rule in rules for other in (*others, ""))


def _acls(subnet: Subnet, cidr: IPv4Network, port: int, *, coming: bool = False) -> bool:
    """Does the subnet's network ACL allow the connection and its replies?"""
    if not subnet.rules:
        return True
    there: tuple[tuple[Direction, int], ...] = (("out", port), ("in", _REPLIES))
    back: tuple[tuple[Direction, int], ...] = (("in", port), ("out", _REPLIES))
    return all(_acl(subnet, cidr, direction, number) for direction, number in (back if coming else there))


def _acl(subnet: Subnet, cidr: IPv4Network, direction: Direction, port: int) -> bool:
    for rule in sorted(subnet.rules, key=lambda each: each.number):
        if rule.direction == direction and rule.covers(port) and rule.fits(cidr, ""):
            return rule.allows
    return False


def _private(cidr: str) -> bool:
    return ip_network(cidr).is_private if cidr not in {"0.0.0.0/0", "::/0"} else False
