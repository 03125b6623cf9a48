"""Who reaches whom: the table holds for both stacks, and what breaks it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from infra.proofs import network_map as on
from infra.proofs.reach import to_service
from infra.proofs.reachability import PAGE, page, reachability
from infra.recording import Graph, Resource

A, B = "network-private-a", "network-private-b"


def edited(graph: Graph, name: str, change: Callable[[Resource], Resource | None] | dict[str, Any]) -> Graph:
    """`graph` with the resource of this logical name changed; None takes it away."""
    resources: list[Resource] = []
    found = False
    for each in graph:
        if each.name != name or not each.custom:
            resources.append(each)
            continue
        found = True
        other = replace(each, inputs={**each.inputs, **change}) if isinstance(change, dict) else change(each)
        if other is not None:
            resources.append(other)
    assert found, f"no resource {name}"
    return replace(graph, resources=tuple(resources))


def with_inputs(resource: Resource, change: dict[str, Any]) -> Resource:
    """The resource with these inputs; None takes an input away."""
    inputs = {**resource.inputs, **change}
    return replace(resource, inputs={key: value for key, value in inputs.items() if value is not None})


def gone(_: Resource) -> None:
    return None


def subnet(name: str) -> str:
    return f"${{aws_subnet.{name}.id}}"


def test_the_table_holds(graph: Graph) -> None:
    assert [str(each) for each in reachability(graph)] == []


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m infra.proofs"


BROKEN: dict[str, tuple[str, Any, str]] = {
    "NAT in a private subnet": (
        "network-nat-a", {"subnetId": subnet(A)},
        "without a route to an internet gateway",
    ),
    "data in a public subnet": (
        "database-subnets", {"subnetIds": [subnet("network-public-a"), subnet("network-public-b")]},
        "has routes",
    ),
    "data subnets on a private route table": (
        "network-data-a-routes", {"routeTableId": "${aws_route_table.network-private-a-table.id}"},
        "has routes",
    ),
    "no way out of a zone": ("network-private-b-out", gone, "no route to the internet"),
    "no way out by the hosts' rules": ("access-worker-out", gone, "lets it out to port 443"),
    "an endpoint closed to its users": (
        "network-endpoints-from-hosts", {"cidrIpv4": "10.99.0.0/16"}, "does not let web in on port 443",
    ),
    "an endpoint on another port": (
        "network-endpoints-from-hosts", {"fromPort": 444, "toPort": 444}, "does not let web in on port 443",
    ),
    "names of endpoints that do not resolve": (
        "network-vpc", {"enableDnsHostnames": False},
        "do not resolve",
    ),
    "hosts in public subnets": (
        "compute-web-group", {"vpcZoneIdentifiers": [subnet("network-public-a"), subnet("network-public-b")]},
        "is public",
    ),
    "hosts in one zone": ("compute-worker-group", {"vpcZoneIdentifiers": [subnet(A)]}, "two at least"),
    "a load balancer in private subnets": (
        "edge-load-balancer", {"subnets": [subnet(A), subnet(B)]}, "no route to an internet gateway",
    ),
    "an internal load balancer": ("edge-load-balancer", {"internal": True}, "has no public address"),
    "the database's port closed to workers": (
        "database-from-worker", gone,
        "does not let worker in on port 5432",
    ),
    "another port for the database": (
        "database-from-web", {"fromPort": 5433, "toPort": 5433}, "does not let web in on port 5432",
    ),
    "a proxy that cannot reach the database": (
        "database-proxy-to-database", gone, "database proxy → database",
    ),
    "Redis open to the load balancer": (
        "access-load-balancer-to-web", {"referencedSecurityGroupId": "${aws_security_group.cache-group.id}"},
        "load balancer → web",
    ),
    "a NAT gateway without an address": (
        "network-nat-b", {"allocationId": "${aws_eip.network-nat-a-address.id}"},
        "of its own",
    ),
    "two subnets with the same addresses": (
        "network-data-b", {"cidrBlock": "10.20.224.0/21"},
        "share addresses",
    ),
    "a host that leaves by another zone's gateway": (
        "network-private-b-out", {"natGatewayId": "${aws_nat_gateway.network-nat-a.id}"}, "though zone",
    ),
    "an internet route through the wrong gateway": (
        "network-private-a-out", {"natGatewayId": None,
        "gatewayId": "${aws_internet_gateway.network-internet.id}"},
        "is public",
    ),
    "a hop between hosts": (
        "access-web-from-load-balancer", {"referencedSecurityGroupId": None, "cidrIpv4": "10.20.0.0/16"},
        "worker → web",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_break_is_found(graphs: dict[str, Graph], what: str) -> None:
    name, change, expected = BROKEN[what]
    wrong = edited(graphs["prod"], name, change)
    assert any(expected in str(each) for each in reachability(wrong)), [
        str(each) for each in reachability(wrong)
    ]


def test_a_network_acl_that_forgets_the_replies_is_found(graphs: dict[str, Graph]) -> None:
    graph = graphs["prod"]
    some = next(each for each in graph if each.name == A)
    everyone = {"cidrBlock": "0.0.0.0/0", "protocol": "tcp", "action": "allow", "ruleNo": 100}
    acl = replace(
        some, type=on.ACL, name="network-acl", urn="urn:acl", terraform_type="aws_network_acl",
        inputs={
            "subnetIds": [subnet(A)],
            "egress": [{**everyone, "fromPort": 0, "toPort": 65535}],
            "ingress": [{**everyone, "fromPort": 443, "toPort": 443}],
        },
    )  # fmt: skip
    wrong = replace(graph, resources=(*graph.resources, acl))
    assert any("network ACL" in str(each) for each in reachability(wrong))


def test_without_endpoints_services_are_reached_over_the_internet(graphs: dict[str, Graph]) -> None:
    network = on.network_map(graphs["preview"])
    answer = to_service(network, network.places["web"], "ssm")
    assert answer.yes
    assert answer.how == "over the internet, through a NAT gateway"
