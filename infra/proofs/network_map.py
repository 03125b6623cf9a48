"""A stack's network as a map: subnets and their routes, security groups and their rules, who is where.

Read from the recorded graph only: what the program declares, not what its components mean to declare.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_network
from itertools import pairwise
from typing import Any, Literal

from infra.policies.reading import at, entries, table, texts
from infra.recording.graph import Graph, Resource, references

SUBNET, VPC = "aws:ec2/subnet:Subnet", "aws:ec2/vpc:Vpc"
TABLE, JOINED = "aws:ec2/routeTable:RouteTable", "aws:ec2/routeTableAssociation:RouteTableAssociation"
ROUTE, NAT = "aws:ec2/route:Route", "aws:ec2/natGateway:NatGateway"
GATEWAY, ENDPOINT = "aws:ec2/internetGateway:InternetGateway", "aws:ec2/vpcEndpoint:VpcEndpoint"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ACL = "aws:ec2/networkAcl:NetworkAcl"
BALANCER, TEMPLATE, HOSTS = (
    "aws:lb/loadBalancer:LoadBalancer",
    "aws:ec2/launchTemplate:LaunchTemplate",
    "aws:autoscaling/group:Group",
)
DATABASE, PROXY = "aws:rds/instance:Instance", "aws:rds/proxy:Proxy"
REDIS = "aws:elasticache/replicationGroup:ReplicationGroup"
SUBNET_GROUPS = {
    DATABASE: "aws:rds/subnetGroup:SubnetGroup",
    REDIS: "aws:elasticache/subnetGroup:SubnetGroup",
}

EVERYWHERE = ip_network("0.0.0.0/0")
Direction = Literal["in", "out"]


@dataclass(frozen=True)
class Rule:
    """One rule of a security group or network ACL. `group`: another group in place of addresses."""

    direction: Direction
    protocol: str
    first: int
    last: int
    cidr: str = ""
    group: str = ""
    allows: bool = True
    number: int = 0

    def covers(self, port: int) -> bool:
        """Does it concern TCP on this port?"""
        if self.protocol in {"-1", "all"}:
            return True
        return self.protocol in {"tcp", "6"} and (self.first == -1 or self.first <= port <= self.last)

    def fits(self, cidr: IPv4Network, group: str) -> bool:
        """Does it concern whoever has these addresses, as a member of `group`?"""
        if self.group:
            return self.group == group
        return bool(self.cidr) and ":" not in self.cidr and cidr.subnet_of(IPv4Network(self.cidr))


@dataclass(frozen=True)
class Place:
    """Somebody in the network: hosts, a load balancer, a database. Several subnets, all of which count."""

    name: str
    subnets: tuple[str, ...]
    """Addresses in the graph: `aws_subnet.network-data-a`."""
    groups: tuple[str, ...]
    port: int = 0
    """The port that it listens on."""
    public: bool = False
    """Has it a public address?"""
    resource: Resource | None = None


@dataclass(frozen=True)
class Subnet:
    """A subnet with its routes: by destination, what they lead to."""

    address: str
    cidr: IPv4Network
    zone: str
    routes: dict[str, str]
    """Destination and the address of its target: `{"0.0.0.0/0": "aws_nat_gateway.network-nat-a"}`."""
    gateways: tuple[str, ...]
    """Services with a gateway endpoint on its route table: `s3`."""
    rules: tuple[Rule, ...]
    """The rules of its network ACL; none: AWS's own, which allows everything."""
    resource: Resource


@dataclass(frozen=True)
class Endpoint:
    """An interface endpoint of a service."""

    service: str
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    private_names: bool
    resource: Resource


@dataclass(frozen=True)
class Network:
    """Everything that decides who reaches what."""

    graph: Graph
    subnets: dict[str, Subnet]
    rules: dict[str, tuple[Rule, ...]]
    """By security group."""
    nats: dict[str, str]
    """By NAT gateway: its subnet."""
    gateways: frozenset[str]
    endpoints: tuple[Endpoint, ...]
    places: dict[str, Place]
    names_resolve: bool
    """Does the VPC resolve private names of endpoints (both DNS settings on)?"""
    faults: tuple[str, ...] = field(default=())
    """What could not be read, or AWS would refuse."""


def network_map(graph: Graph) -> Network:
    """The map of the stack in `graph`, which has one VPC."""
    gateways = frozenset(each.address for each in graph.of(GATEWAY))
    vpcs = graph.of(VPC)
    subnets = {each.address: _subnet(graph, each) for each in graph.of(SUBNET)}
    return Network(
        graph=graph,
        subnets=subnets,
        rules={each.address: tuple(_rules_of(graph, each)) for each in graph.of(GROUP)},
        nats={each.address: first(each.inputs.get("subnetId")) for each in graph.of(NAT)},
        gateways=gateways,
        endpoints=tuple(_endpoints(graph)),
        places={each.name: each for each in _places(graph)},
        names_resolve=all(
            each.inputs.get("enableDnsSupport", True) and each.inputs.get("enableDnsHostnames")
            for each in vpcs
        ),
        faults=tuple(_faults(graph, subnets)),
    )


def first(value: Any) -> str:
    """The address that `value` refers to first, or "" if it refers to nothing."""
    return next((each.address for each in references(value)), "")


def addresses(value: Any) -> tuple[str, ...]:
    """Every address that the entries of a list refer to."""
    return tuple(first(each) for each in texts(value))


def _subnet(graph: Graph, resource: Resource) -> Subnet:
    tables = [
        first(each.inputs.get("routeTableId"))
        for each in graph.of(JOINED)
        if first(each.inputs.get("subnetId")) == resource.address
    ]
    routes = {
        str(each.inputs.get("destinationCidrBlock")): _target(each)
        for each in graph.of(ROUTE)
        if first(each.inputs.get("routeTableId")) in tables
    }
    services = [
        str(each.inputs.get("serviceName")).rpartition(".")[2]
        for each in graph.of(ENDPOINT)
        if each.inputs.get("vpcEndpointType") == "Gateway"
        and set(addresses(each.inputs.get("routeTableIds"))) & set(tables)
    ]
    acls = [each for each in graph.of(ACL) if resource.address in addresses(each.inputs.get("subnetIds"))]
    return Subnet(
        address=resource.address,
        cidr=IPv4Network(str(resource.inputs.get("cidrBlock"))),
        zone=str(resource.inputs.get("availabilityZoneId") or ""),
        routes=routes,
        gateways=tuple(services),
        rules=tuple(rule for acl in acls for rule in _acl_rules(acl)),
        resource=resource,
    )


def _target(route: Resource) -> str:
    for name in ("gatewayId", "natGatewayId", "vpcEndpointId", "transitGatewayId", "networkInterfaceId"):
        if route.inputs.get(name):
            return first(route.inputs[name])
    return ""


def _acl_rules(acl: Resource) -> Iterator[Rule]:
    for direction, name in (("in", "ingress"), ("out", "egress")):
        for each in entries(acl.inputs.get(name)):
            yield Rule(
                "in" if direction == "in" else "out",
                str(each.get("protocol")),
                int(each.get("fromPort", 0)),
                int(each.get("toPort", 0)),
                str(each.get("cidrBlock", "")),
                allows=str(each.get("action")) == "allow",
                number=int(each.get("ruleNo", 0)),
            )


def _rules_of(graph: Graph, group: Resource) -> Iterator[Rule]:
    for token, direction in ((INGRESS, "in"), (EGRESS, "out")):
        for each in graph.of(token):
            if first(each.inputs.get("securityGroupId")) == group.address:
                protocol = str(each.inputs.get("ipProtocol"))
                yield Rule(
                    "in" if direction == "in" else "out",
                    protocol,
                    int(each.inputs.get("fromPort", -1)),
                    int(each.inputs.get("toPort", -1)),
                    str(each.inputs.get("cidrIpv4") or each.inputs.get("cidrIpv6") or ""),
                    first(each.inputs.get("referencedSecurityGroupId")),
                )


def _endpoints(graph: Graph) -> Iterator[Endpoint]:
    for each in graph.of(ENDPOINT):
        if each.inputs.get("vpcEndpointType") == "Interface":
            yield Endpoint(
                str(each.inputs.get("serviceName")).rpartition(".")[2],
                addresses(each.inputs.get("subnetIds")),
                addresses(each.inputs.get("securityGroupIds")),
                bool(each.inputs.get("privateDnsEnabled")),
                each,
            )


def _places(graph: Graph) -> Iterator[Place]:
    for balancer in graph.of(BALANCER):
        yield Place(
            "load balancer", addresses(balancer.inputs.get("subnets")),
            addresses(balancer.inputs.get("securityGroups")),
            public=balancer.inputs.get("internal") is not True, resource=balancer,
        )  # fmt: skip
    for group in graph.of(HOSTS):
        template = graph.by_address(first(at(group.inputs, "launchTemplate.id")))
        cards = entries(template.inputs.get("networkInterfaces")) if template else []
        role = str(group.inputs.get("name")).rpartition("-")[2]
        yield Place(
            role, addresses(group.inputs.get("vpcZoneIdentifiers")),
            tuple(address for card in cards for address in addresses(card.get("securityGroups"))),
            public=any(str(card.get("associatePublicIpAddress")) == "true" for card in cards), resource=group,
        )  # fmt: skip
    for token, name, group in (
        (DATABASE, "database", "dbSubnetGroupName"), (REDIS, "redis", "subnetGroupName")
    ):  # fmt: skip
        for each in graph.of(token):
            ids = each.inputs.get("vpcSecurityGroupIds") or each.inputs.get("securityGroupIds")
            yield Place(
                name, _subnets_of(graph, SUBNET_GROUPS[token], str(each.inputs.get(group))), addresses(ids),
                int(each.inputs.get("port") or 0), bool(each.inputs.get("publiclyAccessible")), each,
            )  # fmt: skip
    for proxy in graph.of(PROXY):
        yield Place(
            "database proxy", addresses(proxy.inputs.get("vpcSubnetIds")),
            addresses(proxy.inputs.get("vpcSecurityGroupIds")), 5432, resource=proxy,
        )  # fmt: skip


def _subnets_of(graph: Graph, token: str, name: str) -> tuple[str, ...]:
    """The subnets of the subnet group of type `token` that `name` is, or refers to."""
    for each in graph.of(token):
        if name in {str(each.inputs.get("name")), *(f"${{{each.address}.{key}}}" for key in ("name", "id"))}:
            return addresses(each.inputs.get("subnetIds"))
    return ()


def _faults(graph: Graph, subnets: dict[str, Subnet]) -> Iterator[str]:
    ranges = sorted(subnets.values(), key=lambda each: each.cidr)
    for one, other in pairwise(ranges):
        if one.cidr.overlaps(other.cidr):
            yield f"{one.address} and {other.address} share addresses: {one.cidr}, {other.cidr}"
    for vpc in graph.of(VPC):
        whole = IPv4Network(str(vpc.inputs.get("cidrBlock")))
        for each in ranges:
            if not each.cidr.subnet_of(whole):
                yield f"{each.address}: {each.cidr} is outside of the VPC's {whole}"
    for address in subnets:
        joined = [each for each in graph.of(JOINED) if first(each.inputs.get("subnetId")) == address]
        if len(joined) != 1:
            yield f"{address} has {len(joined)} route tables"
    yield from _gateway_faults(graph)


def _gateway_faults(graph: Graph) -> Iterable[str]:
    allocated = [first(each.inputs.get("allocationId")) for each in graph.of(NAT)]
    for nat in graph.of(NAT):
        address = first(nat.inputs.get("allocationId"))
        if not address or allocated.count(address) > 1:
            yield f"{nat.address} has no public address of its own"
    for gateway in graph.of(GATEWAY):
        if not first(gateway.inputs.get("vpcId")):
            yield f"{gateway.address} is attached to no VPC"
    for route in graph.of(ROUTE):
        if not _target(route):
            yield f"{route.address} leads nowhere"
        table_of = table(route.inputs)
        if "natGatewayId" in table_of and not first(table_of["natGatewayId"]).startswith("aws_nat_gateway."):
            yield f"{route.address}: natGatewayId is no NAT gateway"
        if "gatewayId" in table_of and not first(table_of["gatewayId"]).startswith("aws_internet_gateway."):
            yield f"{route.address}: gatewayId is no internet gateway"
