"""The hosts: as many of each role as there should be, at any time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi import Output, ResourceOptions

from infra.aws.durations import boot_seconds, grace_seconds, leaving_seconds
from infra.aws.host_group import HostGroup, HostGroupArgs
from infra.aws.launch_template import LaunchTemplateArgs
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
    subnet_ids: list[Output[str]]
    """Private, one a zone."""
    profiles: Mapping[str, pulumi.Input[str]]
    """ARN of the instance profile, by role."""
    security_group_ids: Mapping[str, pulumi.Input[str]]
    """By role."""
    key_arn: pulumi.Input[str]
    target_group_arn: pulumi.Input[str]


class Compute(pulumi.ComponentResource):
    """A `HostGroup` for each role: web, behind the load balancer, and worker.

    Made after the data: that takes RDS a quarter of an hour, in which hosts could only wait to be set up.
    """

    group_names: dict[str, Output[str]]

    def __init__(self, name: str, args: ComputeArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Compute", name, None, opts)
        self._name, self._args = name, args
        self.group_names = {
            "web": self._group("web", [args.target_group_arn]),
            "worker": self._group("worker", []),
        }
        self.register_outputs({"groupNames": self.group_names})

    def _group(self, role: str, target_group_arns: list[pulumi.Input[str]]) -> Output[str]:
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
                    security_group_id=args.security_group_ids[role],
                    key_arn=args.key_arn,
                ),
                subnet_ids=args.subnet_ids,
                target_group_arns=target_group_arns,
                boot_seconds=boot_seconds(args.app, role),
                grace_seconds=grace_seconds(args.app, role),
                leaving_seconds=leaving_seconds(args.app, role),
                log_days=args.settings.load_balancer.log_days,
            ),
            ResourceOptions(parent=self),
        ).group_name
