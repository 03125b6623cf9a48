"""Reachability: who must reach whom on AWS, and who must not; asserted for every stack.

`python -m infra.proofs` writes the table to docs/reachability.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.proofs.network_map import Network, Place, network_map
from infra.proofs.problem import Problem
from infra.proofs.reach import INTERNET, Answer, from_internet, ports, reach, to_internet, to_service
from infra.recording.graph import Graph, Resource

HOSTS = ("web", "worker")
DATA = ("database", "database proxy", "redis")
SERVICES = (
    "s3", "ssm", "ssmmessages", "secretsmanager", "logs", "monitoring", "autoscaling", "sts",
)  # fmt: skip
"""What hosts call: hosts/agent/aws.py, and the Systems Manager agent."""


@dataclass(frozen=True)
class Row:
    """One line of the table: from whom to whom, on which port, and whether it must be possible."""

    source: str
    target: str
    port: int
    """0: any TCP port."""
    must: bool
    why: str


def _must() -> Iterator[Row]:
    yield from (
        Row(INTERNET, "load balancer", port, True, "visitors, or Cloudflare only") for port in (80, 443)
    )
    yield Row("load balancer", "web", 8080, True, "requests and readiness checks")
    for host in HOSTS:
        yield Row(host, INTERNET, 443, True, "packages, the app's partners")
        yield Row(host, "database", 5432, True, "migrations and operators connect directly")
        yield Row(host, "database proxy", 5432, True, "the app's queries")
        yield Row(host, "redis", 6379, True, "queues, cache, rate limits")
        yield from (Row(host, f"service {name}", 443, True, "what hosts call") for name in SERVICES)
    yield Row("database proxy", "database", 5432, True, "pooled connections")


def _must_not() -> Iterator[Row]:
    for each in (*HOSTS, *DATA):
        yield Row(INTERNET, each, 0, False, "the load balancer is the only entry")
    for each in ("worker", *DATA):
        yield Row("load balancer", each, 0, False, "requests go to web hosts only")
    yield Row("load balancer", INTERNET, 0, False, "it calls nothing")
    for each in DATA:
        yield Row(each, INTERNET, 0, False, "data leaves through hosts only")
        yield from (Row(each, host, 0, False, "data accepts connections and opens none") for host in HOSTS)
    yield Row("database", "redis", 0, False, "data accepts connections and opens none")
    yield Row("redis", "database", 0, False, "data accepts connections and opens none")
    yield Row("database proxy", "redis", 0, False, "it serves the database only")
    yield Row("web", "worker", 0, False, "they meet in the queue")
    yield Row("worker", "web", 0, False, "they meet in the queue")


ROWS = (*_must(), *_must_not())


def reachability(graph: Graph) -> Iterator[Problem]:
    """Every row that the network of `graph` does not keep, and every fault of the network itself."""
    network = network_map(graph)
    for fault in network.faults:
        yield Problem("reachability", None, "", fault, "infra/proofs/network_map.py")
    for row in ROWS:
        answer = ask(network, row)
        if answer is not None and answer.yes != row.must:
            said = answer.how if row.must else f"is reached: {answer.how}"
            where = f"{row.source} → {row.target}, port {row.port or 'any'}: "
            yield Problem("reachability", _resource(network, row), "", where + said, "docs/reachability.md")
    yield from _tiers(network)


def ask(network: Network, row: Row) -> Answer | None:
    """The answer to a row; None if the stack has not both of them."""
    source, target = network.places.get(row.source), network.places.get(row.target)
    way: Callable[[int], Answer]
    if row.target == INTERNET and source:
        way = lambda port: to_internet(network, source, port)  # noqa: E731
    elif row.source == INTERNET and target:
        way = lambda port: from_internet(network, target, port)  # noqa: E731
    elif row.target.startswith("service ") and source:
        return to_service(network, source, row.target.removeprefix("service "))
    elif source and target:
        way = lambda port: reach(network, source, target, port)  # noqa: E731
    else:
        return None
    if row.port:
        return way(row.port)
    answers = ((port, way(port)) for port in ports(network))
    open_ports = ((port, each) for port, each in answers if each.yes)
    port, answer = next(open_ports, (0, Answer(False, "on no port")))
    return Answer(answer.yes, f"port {port}, {answer.how}") if answer.yes else answer


def _resource(network: Network, row: Row) -> Resource | None:
    place = network.places.get(row.source) or network.places.get(row.target)
    return place.resource if place else None


def _tiers(network: Network) -> Iterator[Problem]:
    """Zones, and what the route tables of a tier must not have."""
    for name in ("load balancer", *HOSTS):
        if name not in network.places:
            yield Problem("reachability", None, "", f"the stack has no {name}", "docs/reachability.md")
    for place in network.places.values():
        zones = [network.subnets[each].zone for each in place.subnets if each in network.subnets]
        if len(set(zones)) < 2 or (place.name == "load balancer" and len(set(zones)) < len(zones)):
            yield _wrong(place, f"is in zones {', '.join(zones) or 'none'}: two at least, each once")
        for address in place.subnets:
            subnet = network.subnets.get(address)
            if subnet is None:
                yield _wrong(place, f"is in {address or 'a subnet'} that the stack does not have")
            elif place.name in DATA and (subnet.routes or subnet.gateways):
                yield _wrong(place, f"{address} has routes: {', '.join((*subnet.routes, *subnet.gateways))}")
            elif place.name in HOSTS and set(subnet.routes.values()) & network.gateways:
                yield _wrong(place, f"{address} is public: it has a route to an internet gateway")
    yield from _zone_of_nats(network)


def _zone_of_nats(network: Network) -> Iterator[Problem]:
    """With a NAT gateway in each zone, hosts use their own: the loss of a zone costs only that zone."""
    homes = {nat: network.subnets[each].zone for nat, each in network.nats.items() if each in network.subnets}
    for subnet in network.subnets.values():
        nat = subnet.routes.get("0.0.0.0/0", "")
        if nat in homes and subnet.zone in homes.values() and homes[nat] != subnet.zone:
            said = f"leaves by {nat} in zone {homes[nat]}, though zone {subnet.zone} has one"
            yield Problem("reachability", subnet.resource, "", said, "docs/reachability.md")


def _wrong(place: Place, problem: str) -> Problem:
    return Problem("reachability", place.resource, "", f"{place.name} {problem}", "docs/reachability.md")


PAGE = Path(__file__).parents[2] / "docs" / "reachability.md"
_HEAD = """# Who reaches whom on AWS

Generated by `python -m infra.proofs`; do not edit. `slipway infra check` and `script/test infra`
read routes, NAT gateways, endpoints, security groups and network ACLs from the recorded graph of a stack, and
assert each row for every stack that has both ends. Besides: every part is in two zones at least; data is in
subnets without any route; hosts are in subnets without a route to an internet gateway, and leave by the NAT
gateway of their own zone where it has one; no two subnets share addresses.

| from | to | TCP port | must | because |
|---|---|---|---|---|
"""


def page() -> str:
    """The page of the documentation."""
    lines = [
        f"| {row.source} | {row.target} | {row.port or 'any'} | "
        f"{'reach' if row.must else 'not reach'} | {row.why} |"
        for row in ROWS
    ]
    return _HEAD + "\n".join(lines) + "\n"
