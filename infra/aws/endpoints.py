"""VPC endpoints: hosts reach AWS's services without crossing the internet."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from slipway.settings.aws_names import AwsNames

SERVICES = ("ssm", "ssmmessages", "secretsmanager")
"""Sessions and secrets: what a host must reach even when its zone's NAT gateway is down. The session
agent needs no `ec2messages` since its version 3.3.40, and no host calls KMS: Secrets Manager and S3 do."""


@dataclass(frozen=True)
class EndpointsArgs:
    """The endpoints' network and services."""

    names: AwsNames
    vpc_id: pulumi.Input[str]
    cidr: str
    """Address range of the VPC, whose members may use them."""
    subnet_ids: list[Output[str]]
    """One for each zone."""
    route_table_ids: list[Output[str]]
    """Route tables whose S3 traffic uses the gateway endpoint."""
    services: bool
    """Are interface endpoints made too? Each costs by the hour and zone."""


class Endpoints(pulumi.ComponentResource):
    """The S3 gateway endpoint, and interface endpoints for `SERVICES` if set (EC2.10, EC2.55 to .60)."""

    s3_id: Output[str]

    def __init__(self, name: str, args: EndpointsArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Endpoints", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        s3 = aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=args.vpc_id,
            service_name=self._service("s3"),
            vpc_endpoint_type="Gateway",
            route_table_ids=args.route_table_ids,
            tags={"Name": f"{args.names.fleet}-s3"},
            opts=self._child,
        )
        if args.services:
            self._interfaces()
        self.s3_id = s3.id
        self.register_outputs({"s3_id": self.s3_id})

    def _interfaces(self) -> None:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-group",
            vpc_id=self._args.vpc_id,
            description="Endpoints of AWS services, for the hosts of this network",
            tags={"Name": f"{self._args.names.fleet}-endpoints"},
            opts=self._child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-from-hosts",
            security_group_id=group.id,
            description="TLS from this network",
            cidr_ipv4=self._args.cidr,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=self._child,
        )
        for service in SERVICES:
            aws.ec2.VpcEndpoint(
                f"{self._name}-{service}",
                vpc_id=self._args.vpc_id,
                service_name=self._service(service),
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self._args.subnet_ids,
                security_group_ids=[group.id],
                tags={"Name": f"{self._args.names.fleet}-{service}"},
                opts=self._child,
            )

    def _service(self, service: str) -> str:
        return f"com.amazonaws.{self._args.names.region}.{service}"
