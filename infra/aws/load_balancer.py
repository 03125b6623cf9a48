"""The load balancer and its target group: from the internet, or Cloudflare only, to the web hosts."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.limits import LOAD_BALANCER, short_name
from infra.aws.web_acl import WebAcl, WebAclArgs
from slipway.settings.aws import LoadBalancer as LoadBalancerSettings
from slipway.settings.aws_names import AwsNames

EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class LoadBalancerArgs:
    """Settings of the load balancer, its network and its logs."""

    names: AwsNames
    settings: LoadBalancerSettings
    vpc_id: pulumi.Input[str]
    subnet_ids: list[Output[str]]
    """Public subnets, one for each zone."""
    deregistration_seconds: int
    logs_bucket: pulumi.Input[str]
    logs_ready: pulumi.Resource
    """AWS tests at once whether it may write logs, so the bucket policy must exist before."""
    key_arn: pulumi.Input[str]
    proxy_addresses: Sequence[str]
    """Cloudflare's IPv4 and IPv6 ranges, if only they may connect. Empty: everyone may."""


class LoadBalancer(pulumi.ComponentResource):
    """An internet-facing Application Load Balancer over all zones (ELB.13).

    Invalid headers are dropped (ELB.4), ambiguous requests rejected (ELB.12), requests and connections logged
    (ELB.5), deletion refused if set (ELB.6). The client's address is appended to X-Forwarded-For, so the last
    entry is the true one, whatever the client sent. `WebAcl` is the firewall, and `Listeners`, which need a
    certificate first, open the ports. Behind Cloudflare, only its addresses may connect.
    """

    arn: Output[str]
    arn_suffix: Output[str]
    dns_name: Output[str]
    zone_id: Output[str]
    target_group_arn: Output[str]
    target_group_arn_suffix: Output[str]
    security_group_id: Output[str]
    web_acl_name: Output[str] | None

    def __init__(self, name: str, args: LoadBalancerArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:LoadBalancer", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        group = self._security_group()
        made = self._load_balancer(group)
        targets = target_group(
            f"{name}-web", args.names, args.settings, args.vpc_id, args.deregistration_seconds, self._child
        )
        self.web_acl_name = self._web_acl(made) if args.settings.firewall else None
        self.arn, self.arn_suffix = made.arn, made.arn_suffix
        self.dns_name, self.zone_id = made.dns_name, made.zone_id
        self.target_group_arn, self.target_group_arn_suffix = targets.arn, targets.arn_suffix
        self.security_group_id = group.id
        self.register_outputs({"arn": self.arn, "dnsName": self.dns_name})

    def _load_balancer(self, group: aws.ec2.SecurityGroup) -> aws.lb.LoadBalancer:
        args, settings = self._args, self._args.settings
        return aws.lb.LoadBalancer(
            f"{self._name}-load-balancer",
            name=short_name(args.names.fleet, LOAD_BALANCER),
            load_balancer_type="application",
            internal=False,
            ip_address_type="ipv4",
            subnets=args.subnet_ids,
            security_groups=[group.id],
            idle_timeout=settings.idle_seconds,
            enable_http2=True,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="strictest",
            preserve_host_header=True,
            xff_header_processing_mode="append",
            enable_xff_client_port=False,
            enable_deletion_protection=settings.deletion_protection,
            access_logs=aws.lb.LoadBalancerAccessLogsArgs(
                enabled=True, bucket=args.logs_bucket, prefix="access"
            ),
            connection_logs=aws.lb.LoadBalancerConnectionLogsArgs(
                enabled=True, bucket=args.logs_bucket, prefix="connections"
            ),
            opts=ResourceOptions(parent=self, depends_on=[args.logs_ready]),
        )

    def _security_group(self) -> aws.ec2.SecurityGroup:
        """Ingress rules of the load balancer; `HostAccess` has its egress rules."""
        group = aws.ec2.SecurityGroup(
            f"{self._name}-group",
            vpc_id=self._args.vpc_id,
            description="Load balancer: visitors of the site",
            tags={"Name": f"{self._args.names.fleet}-edge"},
            opts=self._child,
        )
        proxy = self._args.proxy_addresses
        for port in (80, 443):
            for index, addresses in enumerate(proxy or EVERYWHERE):
                six = ":" in addresses
                aws.vpc.SecurityGroupIngressRule(
                    # Named by position, not by address: a changed range updates its rule.
                    f"{self._name}-from-{port}-{index}",
                    security_group_id=group.id,
                    description=f"{'Cloudflare' if proxy else 'Internet'} to {port}",
                    cidr_ipv4=None if six else addresses,
                    cidr_ipv6=addresses if six else None,
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    opts=self._child,
                )
        return group

    def _web_acl(self, load_balancer: aws.lb.LoadBalancer) -> Output[str]:
        args = self._args
        return WebAcl(
            f"{self._name}-firewall",
            WebAclArgs(
                names=args.names,
                load_balancer_arn=load_balancer.arn,
                requests_per_5_minutes=args.settings.requests_per_5_minutes,
                behind_cloudflare=bool(args.proxy_addresses),
                log_days=args.settings.log_days,
                key_arn=args.key_arn,
            ),
            self._child,
        ).acl_name


HOST_PORT = 8080
"""Port of HAProxy on web hosts (templates/haproxy/web.cfg.j2)."""
READY_PATH = "/-/slipway/ready"
"""HAProxy answers 200 once the live release is ready, or while nothing was ever released."""


def target_group(
    name: str,
    names: AwsNames,
    settings: LoadBalancerSettings,
    vpc_id: pulumi.Input[str] | Output[str],
    deregistration_seconds: int,
    opts: ResourceOptions,
) -> aws.lb.TargetGroup:
    """The web hosts: sticky by the load balancer's cookie, checked for readiness (I2, I3).

    Two failed checks take a host out of service, two passed ones put it back.
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
