"""The site's name in Route 53, where Cloudflare does not answer for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from infra.aws.mail import DnsRecord


@dataclass(frozen=True)
class SiteNameArgs:
    """Which name leads to which load balancer."""

    domain: str
    hosted_zone: str
    load_balancer_dns_name: pulumi.Input[str]
    load_balancer_zone_id: pulumi.Input[str]


class SiteName(pulumi.ComponentResource):
    """An alias of the load balancer: it follows the load balancer's addresses by itself."""

    def __init__(self, name: str, args: SiteNameArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:SiteName", name, None, opts)
        aws.route53.Record(
            f"{name}-record",
            zone_id=args.hosted_zone,
            name=args.domain,
            type="A",
            aliases=[
                aws.route53.RecordAliasArgs(
                    name=args.load_balancer_dns_name,
                    zone_id=args.load_balancer_zone_id,
                    evaluate_target_health=False,
                )
            ],
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})


def proof_records(
    name: str, hosted_zone: str, records: Sequence[DnsRecord], opts: ResourceOptions | None = None
) -> None:
    """Write `records`, which prove that a domain is ours, into a Route 53 zone."""
    for number, record in enumerate(records, start=1):
        aws.route53.Record(
            f"{name}-proof-{number}",
            zone_id=hosted_zone,
            name=record.name,
            type=record.type,
            records=[record.value],
            ttl=300,
            opts=opts,
        )
