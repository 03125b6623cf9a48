"""The hosts: reached through Systems Manager, and by the load balancer on one port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.durations import boot_seconds, leaving_seconds
from infra.aws.host_group import HostGroup, HostGroupArgs
from infra.aws.launch_template import LaunchTemplateArgs
from infra.aws.target_group import HOST_PORT
from slipway.settings.app import App
from slipway.settings.aws import Aws
from slipway.settings.aws_names import AwsNames


@dataclass(frozen=True)
class ComputeArgs:
    """What the hosts are made of."""

    names: AwsNames
    settings: Aws
    app: App
    """Its drain and boot times are the groups'."""
    vpc_id: pulumi.Input[str]
    subnet_ids: list[Output[str]]
    """Private, one a zone."""
    profiles: Mapping[str, pulumi.Input[str]]
    """ARN of the instance profile, by role."""
    key_arn: pulumi.Input[str]
    load_balancer_group_id: pulumi.Input[str]
    """Security group that requests come from."""
    target_group_arn: pulumi.Input[str]


class Compute(pulumi.ComponentResource):
    """Web and worker hosts: a security group and a `HostGroup` for each.

    A host takes no connection but the load balancer's, on one port: there is no ssh port to open and no key
    pair to lose (EC2.13, EC2.14, EC2.19). Outwards it may ask anybody: packages, AWS, the app's partners.
    """

    group_names: dict[str, Output[str]]
    web_security_group_id: Output[str]
    worker_security_group_id: Output[str]

    def __init__(self, name: str, args: ComputeArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Compute", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        self.web_security_group_id = self._security_group("web")
        self.worker_security_group_id = self._security_group("worker")
        self._requests()
        self.group_names = {
            "web": self._group("web", self.web_security_group_id, [args.target_group_arn]),
            "worker": self._group("worker", self.worker_security_group_id, []),
        }
        self.register_outputs({"group_names": self.group_names})

    def _group(
        self, role: str, security_group_id: Output[str], target_group_arns: list[pulumi.Input[str]]
    ) -> Output[str]:
        args = self._args
        return HostGroup(
            f"{self._name}-{role}",
            HostGroupArgs(
                template=LaunchTemplateArgs(
                    names=args.names,
                    role=role,
                    group=args.settings.web if role == "web" else args.settings.worker,
                    image=args.settings.image,
                    profile_arn=args.profiles[role],
                    security_group_id=security_group_id,
                    key_arn=args.key_arn,
                ),
                subnet_ids=args.subnet_ids,
                target_group_arns=target_group_arns,
                boot_seconds=boot_seconds(args.app, role),
                leaving_seconds=leaving_seconds(args.app, role),
                log_days=args.settings.load_balancer.log_days,
            ),
            self._child,
        ).group_name

    def _security_group(self, role: str) -> Output[str]:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-{role}-security-group",
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

    def _requests(self) -> None:
        """From the load balancer to HAProxy, said at both ends."""
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-web-from-load-balancer",
            security_group_id=self.web_security_group_id,
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
            referenced_security_group_id=self.web_security_group_id,
            ip_protocol="tcp",
            from_port=HOST_PORT,
            to_port=HOST_PORT,
            opts=self._child,
        )
