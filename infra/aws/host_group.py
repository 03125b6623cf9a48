"""The hosts of one role: how many, and how they come, are replaced and leave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from hosts.agent.leave import HOOK as LEAVING_HOOK
from infra.aws.launch_template import LaunchTemplateArgs, host_tags, launch_template
from infra.aws.retention import retention_days

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
