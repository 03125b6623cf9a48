"""A fleet on AWS as its set-up sees it."""

from __future__ import annotations

import dataclasses

from hosts.plan import FleetPlan, LoadBalancer
from slipway.settings import Bucket, Cloud
from slipway.settings.aws import Aws, Cloudflare

CIDR = "10.20.0.0/16"


def on_aws(plan: FleetPlan, *, cloudflare: bool = False) -> FleetPlan:
    """The same app and secrets, on AWS."""
    cloud = Cloud(
        region="eu-central-1",
        account="123456789012",
        groups={},
        boot_secrets={"web": "arn:web", "worker": "arn:worker"},
        key="arn:key",
        target_group="arn:tg",
        app_role="arn:app",
    )
    outputs = plan.outputs.model_copy(
        update={
            "platform": "aws",
            "url": "https://board.example.com",
            "hosts": [],
            "builds": Bucket(bucket="board-prod-builds-123456789012", region="eu-central-1"),
            "cloud": cloud,
        }
    )
    aws = Aws.model_validate({"account": "123456789012", "network": {"cidr": CIDR}})
    front = Cloudflare(account="0" * 32, zone="1" * 32, zone_name="example.com") if cloudflare else None
    stack = plan.stack.model_copy(update={"platform": "aws", "aws": aws, "cloudflare": front})
    return dataclasses.replace(
        plan,
        outputs=outputs,
        stack=stack,
        edge_names=(),
        ssh_access="loopback",
        load_balancer=LoadBalancer(CIDR, aws.load_balancer.idle_seconds),
        hosts_come_and_go=True,
    )
