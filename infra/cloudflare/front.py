"""Cloudflare before the load balancer: names, TLS, firewall and cache."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_cloudflare as cloudflare

from infra.cloudflare.rulesets import Rulesets, RulesetsArgs
from infra.cloudflare.zone_settings import ZoneSettings
from slipway.settings.aws import Cloudflare

AUTOMATIC = 1
"""TTL of a proxied record: Cloudflare's own."""


@dataclass(frozen=True)
class FrontArgs:
    """Whose zone, which name, and what stands behind it."""

    settings: Cloudflare
    domain: str
    origin: pulumi.Input[str]
    """DNS name of the load balancer."""


class Front(pulumi.ComponentResource):
    """The site's name leads to Cloudflare, and Cloudflare leads to the load balancer.

    With `manage_zone`, the zone's settings, firewall, rate limit and cache rules are made too. A name more
    than one label below the zone is not covered by the certificate that Cloudflare gives every zone: it gets
    one of its own (Advanced Certificate Manager, which costs by the month).
    """

    site: pulumi.Output[str]
    """The site's name, once its record is there."""

    def __init__(self, name: str, args: FrontArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:cloudflare:Front", name, None, opts)
        settings, child = args.settings, pulumi.ResourceOptions(parent=self)
        site = cloudflare.DnsRecord(
            f"{name}-site",
            zone_id=settings.zone,
            name=args.domain,
            type="CNAME",
            content=args.origin,
            proxied=True,
            ttl=AUTOMATIC,
            comment="slipway",
            opts=child,
        )
        if not covered_by_zone(args.domain, settings.zone_name):
            cloudflare.CertificatePack(
                f"{name}-certificate",
                zone_id=settings.zone,
                type="advanced",
                hosts=[settings.zone_name, args.domain],
                validation_method="txt",
                validity_days=90,
                certificate_authority="google",
                opts=child,
            )
        if settings.manage_zone:
            ZoneSettings(f"{name}-zone", settings.zone, child)
            rules = RulesetsArgs(
                zone=settings.zone,
                domain=args.domain,
                requests_per_10_seconds=settings.requests_per_10_seconds,
                managed_rules=settings.managed_rules,
            )
            Rulesets(f"{name}-rules", rules, child)
        self.site = site.name
        self.register_outputs({"site": self.site})


def covered_by_zone(domain: str, zone: str) -> bool:
    """Does the certificate that every zone has, for `zone` and `*.zone`, cover `domain`?"""
    return domain == zone or "." not in domain.removesuffix(f".{zone}")
