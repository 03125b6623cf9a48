"""The hosts: an Auto Scaling group for each role, and the times that scaling waits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from hosts.agent.leave import DEREGISTER_SECONDS, HOOK as LEAVING_HOOK, NOTICE_SECONDS
from hosts.kit.user_data import PATIENCE_MINUTES
from infra.aws.launch_template import LaunchTemplateArgs, host_tags, launch_template
from infra.aws.limits import retention_days
from slipway.settings import App
from slipway.settings.aws import Aws, LoadBalancer
from slipway.settings.aws_fit import image_of
from slipway.settings.aws_names import AwsNames


@dataclass(frozen=True)
class ComputeArgs:
    """Settings, app and surroundings of the hosts."""

    names: AwsNames
    settings: Aws
    app: App
    """Its drain and boot times decide the groups' timeouts."""
    scales: bool
    """Are hosts added where the groups are busy?"""
    subnet_ids: list[Output[str]]
    """Private subnets, one for each zone."""
    profiles: Mapping[str, pulumi.Input[str]]
    """ARN of the instance profile, by role."""
    security_group_ids: Mapping[str, pulumi.Input[str]]
    """Security group of the hosts, by role."""
    key_arn: pulumi.Input[str]
    target_group_arn: pulumi.Input[str]


class Compute(pulumi.ComponentResource):
    """A `HostGroup` for each role: web, behind the load balancer, and worker.

    Made after database and Redis: RDS takes a quarter of an hour, and hosts could only wait meanwhile.
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
                    image=image_of(args.settings, args.names, role),
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
                protect=args.settings.protect,
                scales=args.scales,
            ),
            ResourceOptions(parent=self),
        ).group_name


SLACK = 30
"""Seconds added to the app's own drain time."""
_LONGEST_HOOK = 7200
"""Auto Scaling's maximum for a hook's timeout, in seconds; the minimum is 30."""


def longest_drain(app: App, role: str) -> int:
    """The longest drain of a process on hosts of `role`, in seconds; 0 if there are none."""
    return max((process.drain_seconds for process in app.on_role(role).values()), default=0)


def deregistration_seconds(settings: LoadBalancer, app: App) -> int:
    """Time for a host's connections after it leaves the target group: as set, or the drain plus slack."""
    if settings.deregistration_seconds is not None:
        return settings.deregistration_seconds
    return min(longest_drain(app, "web") + SLACK, 3600)


def leaving_seconds(app: App, role: str) -> int:
    """How long Auto Scaling waits before it terminates a leaving host of `role`: at most 2 hours.

    Meanwhile the host notices, is deregistered from the load balancer, and drains (hosts/agent/leave.py).
    """
    noticed = NOTICE_SECONDS + int(DEREGISTER_SECONDS)
    return min(noticed + longest_drain(app, role) + SLACK, _LONGEST_HOOK)


def boot_seconds(app: App, role: str) -> int:
    """Seconds from launch to ready: the instance's boot, its set-up and the app's boot."""
    slowest = max((process.boot_seconds for process in app.on_role(role).values()), default=0)
    return _MACHINE_SECONDS + slowest


def grace_seconds(app: App, role: str) -> int:
    """How long a new host may take to set itself up before Auto Scaling replaces it as unhealthy.

    It receives no requests meanwhile; a shorter time would terminate hosts that still wait for a dependency.
    """
    return PATIENCE_MINUTES * 60 + boot_seconds(app, role)


_MACHINE_SECONDS = 240
"""Boot, packages and kit of a new host: an allowance, not a measurement."""


LIFETIME_SECONDS = 30 * 24 * 3600
"""Maximum age of a host: then one with the newest image replaces it."""
BUSY_PERCENT = 60.0
"""Target of mean CPU use: above it, hosts are added."""


@dataclass(frozen=True)
class HostGroupArgs:
    """One role's group: template, network and timeouts."""

    template: LaunchTemplateArgs
    subnet_ids: Sequence[Output[str]]
    """One for each zone."""
    target_group_arns: Sequence[pulumi.Input[str]]
    """Target groups, whose health checks then decide; empty: EC2's status checks do."""
    boot_seconds: int
    """Usual time from launch to ready."""
    grace_seconds: int
    """Time after launch in which a host that is not ready is not replaced."""
    leaving_seconds: int
    """Time between a host's leaving and its termination."""
    log_days: int
    protect: bool
    """Whether deleting the group waits until its hosts have drained; they are not waited for otherwise."""
    scales: bool
    """Are hosts added while the group is busy?"""


class HostGroup(pulumi.ComponentResource):
    """An Auto Scaling group over all zones (AutoScaling.1, .2, .9), with its launch template.

    When a host is replaced (new template, age, bad health), the new host starts first, so capacity never
    drops. A leaving host is deregistered from the load balancer, its connections drain, and its processes
    then have their drain time. The log group receives what its hosts log.
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
                # The version itself instead of "$Latest": Pulumi then sees a new one as a change.
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
                    # AWS can roll back only to a template that names an image id.
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
            # A host that hangs would hold a deletion up for as long as the hook `leaving` waits.
            force_delete=not args.protect,
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
        if args.scales and size.max > size.min:
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
    """Limit of a group of `fewest` hosts during replacement: one host more, in percent of all."""
    return 100 + math.ceil(100 / fewest) if fewest else 200
