"""The hosts: as many of each role as there should be, at any time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from hosts.agent.leave import DEREGISTER_SECONDS, NOTICE_SECONDS
from hosts.agent.leave import HOOK as LEAVING_HOOK
from hosts.kit.user_data import PATIENCE_MINUTES
from infra.aws.launch_template import LaunchTemplateArgs, host_tags, launch_template
from infra.aws.limits import retention_days
from slipway.settings.app import App
from slipway.settings.aws import Aws, LoadBalancer
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


# How long a leaving host is given: of the app's own drains, so that no setting can be shorter than them.


SLACK = 30
"""Seconds beyond the app's own drain."""
_LONGEST_HOOK = 7200
"""The longest time-out of a hook that Auto Scaling takes, in seconds; the shortest is 30."""


def longest_drain(app: App, role: str) -> int:
    """Of the processes on hosts of `role`, in seconds; 0 if there are none."""
    return max((process.drain_seconds for process in app.on_role(role).values()), default=0)


def deregistration_seconds(settings: LoadBalancer, app: App) -> int:
    """From a host's leaving the target group to the end of its connections: as set, or drain plus slack."""
    if settings.deregistration_seconds is not None:
        return settings.deregistration_seconds
    return min(longest_drain(app, "web") + SLACK, 3600)


def leaving_seconds(app: App, role: str) -> int:
    """How long Auto Scaling waits for a host of `role` that leaves, before it is ended: at most 2 hours.

    The host notices, lets the load balancer turn away, and drains (hosts/agent/leave.py).
    """
    noticed = NOTICE_SECONDS + int(DEREGISTER_SECONDS)
    return min(noticed + longest_drain(app, role) + SLACK, _LONGEST_HOOK)


def boot_seconds(app: App, role: str) -> int:
    """From launch to ready: the machine, its set-up and the app's own boot."""
    slowest = max((process.boot_seconds for process in app.on_role(role).values()), default=0)
    return _MACHINE_SECONDS + slowest


def grace_seconds(app: App, role: str) -> int:
    """How long a new host may try to set itself up, before Auto Scaling takes its unreadiness for a failure.

    It gets no requests meanwhile; a shorter time would end hosts that still wait for what they need.
    """
    return PATIENCE_MINUTES * 60 + boot_seconds(app, role)


_MACHINE_SECONDS = 240
"""Boot, packages and kit of a new host: an allowance, not a measurement."""


# The hosts of one role: how many, and how they come, are replaced and leave.


LIFETIME_SECONDS = 30 * 24 * 3600
"""Oldest host: after it, one on the newest image takes its place."""
BUSY_PERCENT = 60.0
"""Mean CPU beyond which hosts are added."""


@dataclass(frozen=True)
class HostGroupArgs:
    """One role's group."""

    template: LaunchTemplateArgs
    subnet_ids: Sequence[Output[str]]
    """One a zone."""
    target_group_arns: Sequence[pulumi.Input[str]]
    """The load balancer's, whose health checks then decide; empty: EC2's do."""
    boot_seconds: int
    """From launch to ready, as a rule."""
    grace_seconds: int
    """From launch on, in which a host that is not ready is left alone."""
    leaving_seconds: int
    """For a host that has left, until it is ended."""
    log_days: int


class HostGroup(pulumi.ComponentResource):
    """An Auto Scaling group over all zones (AutoScaling.1, .2, .9), with its launch template.

    Whenever a host is replaced, for a new template, age, or bad health, the new one comes first and no host
    too few serves. A leaving host is taken from the load balancer, its connections drain there, and it is
    then given the time of its processes' drain. `group_log` takes what its hosts log.
    """

    group_name: Output[str]

    def __init__(self, name: str, args: HostGroupArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:HostGroup", name, None, opts)
        child = ResourceOptions(parent=self)
        names, role, size = args.template.names, args.template.role, args.template.group
        aws.cloudwatch.LogGroup(
            f"{name}-log",
            name=names.log_group(role),
            retention_in_days=retention_days(args.log_days),
            kms_key_id=args.template.key_arn,
            opts=child,
        )
        template = launch_template(name, args.template, child)
        healthy = most_healthy_percent(size.min)
        group = aws.autoscaling.Group(
            f"{name}-group",
            name=names.group(role),
            min_size=size.min,
            max_size=size.max,
            vpc_zone_identifiers=list(args.subnet_ids),
            launch_template=aws.autoscaling.GroupLaunchTemplateArgs(
                # The version itself and not "$Latest": a new one is then a change that Pulumi sees.
                id=template.id,
                version=template.latest_version.apply(str),
            ),
            target_group_arns=list(args.target_group_arns),
            health_check_type="ELB" if args.target_group_arns else "EC2",
            health_check_grace_period=args.grace_seconds,
            default_instance_warmup=args.boot_seconds,
            max_instance_lifetime=LIFETIME_SECONDS,
            termination_policies=["OldestLaunchTemplate", "OldestInstance"],
            instance_maintenance_policy=aws.autoscaling.GroupInstanceMaintenancePolicyArgs(
                min_healthy_percentage=100, max_healthy_percentage=healthy
            ),
            instance_refresh=aws.autoscaling.GroupInstanceRefreshArgs(
                strategy="Rolling",
                preferences=aws.autoscaling.GroupInstanceRefreshPreferencesArgs(
                    min_healthy_percentage=100,
                    max_healthy_percentage=healthy,
                    instance_warmup=str(args.boot_seconds),
                    skip_matching=True,
                    # AWS can only go back to a template that names its image itself.
                    auto_rollback=args.template.image.startswith("ami-"),
                ),
            ),
            enabled_metrics=[
                aws.autoscaling.Metric.GROUP_DESIRED_CAPACITY,
                aws.autoscaling.Metric.GROUP_IN_SERVICE_INSTANCES,
                aws.autoscaling.Metric.GROUP_MAX_SIZE,
                aws.autoscaling.Metric.GROUP_TOTAL_INSTANCES,
            ],
            metrics_granularity="1Minute",
            tags=[
                aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=True)
                for key, value in host_tags(names, role).items()
            ],
            opts=child,
        )
        aws.autoscaling.LifecycleHook(
            f"{name}-leaving",
            name=LEAVING_HOOK,  # completed by the host itself, once it has drained
            autoscaling_group_name=group.name,
            lifecycle_transition="autoscaling:EC2_INSTANCE_TERMINATING",
            heartbeat_timeout=args.leaving_seconds,
            default_result="CONTINUE",
            opts=child,
        )
        if size.max > size.min:
            _scale(name, group, child)
        self.group_name = group.name
        self.register_outputs({"group_name": self.group_name})


def _scale(name: str, group: aws.autoscaling.Group, opts: ResourceOptions) -> None:
    aws.autoscaling.Policy(
        f"{name}-scaling",
        autoscaling_group_name=group.name,
        policy_type="TargetTrackingScaling",
        target_tracking_configuration=aws.autoscaling.PolicyTargetTrackingConfigurationArgs(
            predefined_metric_specification=(
                aws.autoscaling.PolicyTargetTrackingConfigurationPredefinedMetricSpecificationArgs(
                    predefined_metric_type="ASGAverageCPUUtilization"
                )
            ),
            target_value=BUSY_PERCENT,
        ),
        opts=opts,
    )


def most_healthy_percent(fewest: int) -> int:
    """How far a group of `fewest` hosts may grow while they are replaced: by one host, in percent of all."""
    return 100 + math.ceil(100 / fewest) if fewest else 200
