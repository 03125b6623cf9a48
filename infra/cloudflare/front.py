"""Cloudflare before the load balancer: names, TLS, firewall and cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_cloudflare as cloudflare

from infra.cloudflare.rulesets import Rulesets, RulesetsArgs
from infra.cloudflare.zone_settings import ZoneSettings
from slipway.settings.aws import Cloudflare

AUTOMATIC = 1
"""TTL of a proxied record: Cloudflare's own."""
_PROOF_SECONDS = 300


@dataclass(frozen=True)
class Record:
    """A DNS record that proves something to somebody."""

    name: pulumi.Input[str]
    type: pulumi.Input[str]
    value: pulumi.Input[str]


@dataclass(frozen=True)
class FrontArgs:
    """Whose zone, which name, and what stands behind it."""

    settings: Cloudflare
    domain: str
    origin: pulumi.Input[str]
    """DNS name of the load balancer."""
    proofs: Sequence[tuple[str, Record]] = ()
    """Records that are not proxied, by a short name each: `mail-1`."""


class Front(pulumi.ComponentResource):
    """The site's name leads to Cloudflare, and Cloudflare leads to the load balancer.

    With `manage_zone`, the zone's settings, firewall, rate limit and cache rules are made too. A name more than
    one label below the zone is not covered by the certificate that Cloudflare gives every zone: it gets one of
    its own (Advanced Certificate Manager, which costs by the month).
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
        for short, proof in args.proofs:
            proof_record(f"{name}-{short}", settings.zone, proof, child)
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


def proof_record(name: str, zone: str, proof: Record, opts: pulumi.ResourceOptions) -> cloudflare.DnsRecord:
    """A record that is answered as it is. ACM and SES write names and values with a dot at the end."""
    return cloudflare.DnsRecord(
        name,
        zone_id=zone,
        name=pulumi.Output.from_input(proof.name).apply(_without_dot),
        type=proof.type,
        content=pulumi.Output.from_input(proof.value).apply(_without_dot),
        proxied=False,
        ttl=_PROOF_SECONDS,
        comment="slipway",
        opts=opts,
    )


def covered_by_zone(domain: str, zone: str) -> bool:
    """Does the certificate that every zone has, for `zone` and `*.zone`, cover `domain`?"""
    return domain == zone or "." not in domain.removesuffix(f".{zone}")


def _without_dot(text: str) -> str:
    return text.removesuffix(".")
