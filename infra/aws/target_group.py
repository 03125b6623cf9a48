"""The target group: which web hosts take requests, and which of them takes the next."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.physical import LOAD_BALANCER, short_name
from slipway.settings.aws import LoadBalancer
from slipway.settings.aws_names import AwsNames

HOST_PORT = 8080
"""HAProxy on web hosts (templates/haproxy/web.cfg.j2)."""
READY_PATH = "/-/slipway/ready"
"""Answered by HAProxy for the live slot: 200 once its release is ready, or while there never was any."""


def target_group(
    name: str,
    names: AwsNames,
    settings: LoadBalancer,
    vpc_id: pulumi.Input[str] | Output[str],
    deregistration_seconds: int,
    opts: ResourceOptions,
) -> aws.lb.TargetGroup:
    """The web hosts: sticky by the load balancer's cookie, checked for readiness (I2, I3).

    A host is taken out after two failed checks and taken back after two good ones.
    """
    return aws.lb.TargetGroup(
        f"{name}-targets",
        name=short_name(f"{names.fleet}-web", LOAD_BALANCER),
        vpc_id=vpc_id,
        target_type="instance",
        protocol="HTTP",
        protocol_version="HTTP1",
        port=HOST_PORT,
        load_balancing_algorithm_type=settings.algorithm,
        load_balancing_cross_zone_enabled="true",
        slow_start=settings.slow_start_seconds,
        deregistration_delay=deregistration_seconds,
        stickiness=aws.lb.TargetGroupStickinessArgs(
            enabled=True, type="lb_cookie", cookie_duration=settings.sticky_seconds
        ),
        health_check=aws.lb.TargetGroupHealthCheckArgs(
            enabled=True,
            protocol="HTTP",
            port="traffic-port",
            path=READY_PATH,
            matcher="200",
            interval=settings.health_seconds,
            timeout=min(settings.health_seconds - 1, 5),
            healthy_threshold=2,
            unhealthy_threshold=2,
        ),
        opts=opts,
    )
