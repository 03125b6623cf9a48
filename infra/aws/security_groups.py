"""Security groups of the hosts, and rules between security groups.

Each rule is a resource: a rule inside a group and one beside it would remove each other at every update.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.load_balancer import HOST_PORT
from slipway.settings.aws_names import AwsNames


def let_in(
    name: str,
    group_id: pulumi.Input[str],
    clients: Mapping[str, pulumi.Input[str]],
    port: int,
    opts: ResourceOptions,
) -> None:
    """Allow `clients` (security group by description) to connect to `group_id` on `port`: both rules."""
    for who, client in clients.items():
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-from-{who}",
            security_group_id=group_id,
            description=f"From {who}",
            referenced_security_group_id=client,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=opts,
        )


@dataclass(frozen=True)
class HostAccessArgs:
    """The hosts' VPC and the load balancer's security group."""

    names: AwsNames
    vpc_id: pulumi.Input[str]
    load_balancer_group_id: pulumi.Input[str]
    """Security group of the load balancer, which sends requests."""


class HostAccess(pulumi.ComponentResource):
    """A security group for the hosts of each role (EC2.13, EC2.14, EC2.19): made before the hosts are.

    Web hosts accept the load balancer's connections on one port, workers accept none. Operators connect by
    Systems Manager, to which a host connects itself. Outgoing connections are allowed to any address:
    packages, AWS, the app's partners.
    """

    group_ids: dict[str, Output[str]]
    """Security group, by role."""

    def __init__(self, name: str, args: HostAccessArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:HostAccess", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        self.group_ids = {role: self._group(role) for role in ("web", "worker")}
        self._requests(self.group_ids["web"])
        self.register_outputs({"groupIds": self.group_ids})

    def _group(self, role: str) -> Output[str]:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-{role}",
            vpc_id=self._args.vpc_id,
            description=f"Hosts of role {role}",
            tags={"Name": self._args.names.group(role)},
            opts=self._child,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-{role}-out",
            security_group_id=group.id,
            description="Anywhere",
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="-1",
            opts=self._child,
        )
        return group.id

    def _requests(self, web: Output[str]) -> None:
        """From the load balancer to HAProxy: its egress rule and the hosts' ingress rule."""
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-web-from-load-balancer",
            security_group_id=web,
            description="Requests and readiness checks",
            referenced_security_group_id=self._args.load_balancer_group_id,
            ip_protocol="tcp",
            from_port=HOST_PORT,
            to_port=HOST_PORT,
            opts=self._child,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-load-balancer-to-web",
            security_group_id=self._args.load_balancer_group_id,
            description="Requests and readiness checks",
            referenced_security_group_id=web,
            ip_protocol="tcp",
            from_port=HOST_PORT,
            to_port=HOST_PORT,
            opts=self._child,
        )
