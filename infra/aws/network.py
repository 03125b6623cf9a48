"""The network: a VPC whose hosts and data cannot be reached from the internet."""

from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.audit import FlowLog, FlowLogArgs
from infra.aws.endpoints import Endpoints, EndpointsArgs
from slipway.settings.aws import Network as NetworkSettings
from slipway.settings.aws_names import AwsNames


@dataclass(frozen=True)
class NetworkArgs:
    """Settings of the network."""

    names: AwsNames
    settings: NetworkSettings
    zone_ids: list[str]
    """Its zones: `use1-az1`, `use1-az2`."""
    key_arn: pulumi.Input[str]
    """Key that encrypts the flow log."""


class Network(pulumi.ComponentResource):
    """A VPC over two or three zones.

    Each zone has a public subnet (load balancer, NAT gateways), a private one (hosts, which reach the
    internet through a NAT gateway) and a data one (no route to the internet). The VPC has a gateway endpoint
    for S3, which keeps that traffic internal and free; interface endpoints for other services, if set; a
    flow log (EC2.6); and a default security group without rules (EC2.2). No subnet assigns public addresses
    (EC2.15).
    """

    vpc_id: Output[str]
    public_subnet_ids: list[Output[str]]
    private_subnet_ids: list[Output[str]]
    data_subnet_ids: list[Output[str]]

    def __init__(self, name: str, args: NetworkArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Network", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        self._vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.settings.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": args.names.fleet},
            opts=self._child,
        )
        aws.ec2.DefaultSecurityGroup(
            f"{name}-default-security-group",
            vpc_id=self._vpc.id,
            ingress=[],
            egress=[],
            tags={"Name": f"{args.names.fleet}-unused"},
            opts=self._child,
        )
        ranges = subnets(args.settings.cidr, args.settings.zones)
        public = self._subnets("public", ranges.public)
        private = self._subnets("private", ranges.private)
        data = self._subnets("data", ranges.data)
        internet = self._public_routes(public)
        private_tables, ways_out = self._private_routes(public, private, internet)
        self._use(self._table("data"), "data", data)
        self.vpc_id = self._vpc.id
        # Depends on the routes: a host needs them as long as it exists.
        self.public_subnet_ids = [_after(subnet.id, internet.id) for subnet in public]
        self.private_subnet_ids = [
            _after(subnet.id, way_out.id) for subnet, way_out in zip(private, ways_out, strict=True)
        ]
        self.data_subnet_ids = [subnet.id for subnet in data]
        Endpoints(
            f"{name}-endpoints",
            EndpointsArgs(
                names=args.names,
                vpc_id=self.vpc_id,
                cidr=args.settings.cidr,
                subnet_ids=self.private_subnet_ids,
                route_table_ids=[table.id for table in private_tables],
                services=args.settings.endpoints,
            ),
            self._child,
        )
        FlowLog(
            f"{name}-flow-log",
            FlowLogArgs(
                names=args.names,
                vpc_id=self.vpc_id,
                days=args.settings.flow_log_days,
                key_arn=args.key_arn,
            ),
            self._child,
        )
        self.register_outputs({"vpc_id": self.vpc_id})

    def _subnets(self, tier: str, ranges: list[str]) -> list[aws.ec2.Subnet]:
        names = self._args.names
        return [
            aws.ec2.Subnet(
                f"{self._name}-{tier}-{letter}",
                vpc_id=self._vpc.id,
                cidr_block=cidr,
                availability_zone_id=zone,
                map_public_ip_on_launch=False,
                tags={"Name": f"{names.fleet}-{tier}-{letter}"},
                opts=self._child,
            )
            for letter, zone, cidr in zip(ZONE_LETTERS, self._args.zone_ids, ranges, strict=False)
        ]

    def _public_routes(self, public: list[aws.ec2.Subnet]) -> aws.ec2.Route:
        gateway = aws.ec2.InternetGateway(
            f"{self._name}-internet",
            vpc_id=self._vpc.id,
            tags={"Name": self._args.names.fleet},
            opts=self._child,
        )
        table = self._table("public")
        self._use(table, "public", public)
        return aws.ec2.Route(
            f"{self._name}-public-out",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self._child,
        )

    def _private_routes(
        self, public: list[aws.ec2.Subnet], private: list[aws.ec2.Subnet], internet: aws.ec2.Route
    ) -> tuple[list[aws.ec2.RouteTable], list[aws.ec2.Route]]:
        """A route table for each zone, so that changing `nat` later changes routes only."""
        gateways = [
            self._nat(letter, subnet, internet)
            for letter, subnet in zip(ZONE_LETTERS, public, strict=False)
            if letter == ZONE_LETTERS[0] or self._args.settings.nat == "per_zone"
        ]
        tables: list[aws.ec2.RouteTable] = []
        ways_out: list[aws.ec2.Route] = []
        for index, subnet in enumerate(private):
            letter = ZONE_LETTERS[index]
            table = self._table(f"private-{letter}")
            ways_out.append(
                aws.ec2.Route(
                    f"{self._name}-private-{letter}-out",
                    route_table_id=table.id,
                    destination_cidr_block="0.0.0.0/0",
                    nat_gateway_id=gateways[index % len(gateways)].id,
                    opts=self._child,
                )
            )
            aws.ec2.RouteTableAssociation(
                f"{self._name}-private-{letter}-routes",
                route_table_id=table.id,
                subnet_id=subnet.id,
                opts=self._child,
            )
            tables.append(table)
        return tables, ways_out

    def _nat(self, letter: str, subnet: aws.ec2.Subnet, internet: aws.ec2.Route) -> aws.ec2.NatGateway:
        tags = {"Name": f"{self._args.names.fleet}-{letter}"}
        address = aws.ec2.Eip(f"{self._name}-nat-{letter}-address", domain="vpc", tags=tags, opts=self._child)
        return aws.ec2.NatGateway(
            f"{self._name}-nat-{letter}",
            allocation_id=address.id,
            subnet_id=subnet.id,
            tags=tags,
            opts=ResourceOptions(parent=self, depends_on=[internet]),
        )

    def _table(self, tier: str) -> aws.ec2.RouteTable:
        return aws.ec2.RouteTable(
            f"{self._name}-{tier}-table",
            vpc_id=self._vpc.id,
            tags={"Name": f"{self._args.names.fleet}-{tier}"},
            opts=self._child,
        )

    def _use(self, table: aws.ec2.RouteTable, tier: str, members: list[aws.ec2.Subnet]) -> None:
        for letter, subnet in zip(ZONE_LETTERS, members, strict=False):
            aws.ec2.RouteTableAssociation(
                f"{self._name}-{tier}-{letter}-routes",
                route_table_id=table.id,
                subnet_id=subnet.id,
                opts=self._child,
            )


def _after(subnet_id: Output[str], *others: Output[str]) -> Output[str]:
    """`subnet_id`, known once `others` exist too."""
    return Output.all(subnet_id, *others).apply(lambda ids: str(ids[0]))


ZONE_LETTERS = "abc"
"""Suffixes of names for the first, second and third zone; a zone of AWS's has other letters."""


@dataclass(frozen=True)
class Subnets:
    """Address ranges of the subnets, in the order of the zones."""

    public: list[str]
    """For the load balancer and NAT gateways."""
    private: list[str]
    """For hosts."""
    data: list[str]
    """For the database and Redis; no route to the internet."""


def subnets(cidr: str, zones: int) -> Subnets:
    """Divide `cidr` for `zones` zones (3 at most).

    Hosts have a quarter of the VPC in each zone. The last quarter is divided by eight: public subnets from
    its start, data subnets from its middle. Adding a third zone later changes none of the first two.
    """
    *hosts, rest = IPv4Network(cidr).subnets(prefixlen_diff=2)
    small = list(rest.subnets(prefixlen_diff=3))
    return Subnets(
        public=[str(each) for each in small[:zones]],
        private=[str(each) for each in hosts[:zones]],
        data=[str(each) for each in small[4 : 4 + zones]],
    )
