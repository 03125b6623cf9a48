"""Cloudflare before the load balancer: names, TLS, firewall and cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pulumi
import pulumi_cloudflare as cloudflare

from infra.cloudflare.rulesets import Rulesets, RulesetsArgs
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


# By what right Cloudflare is asked: a token in the environment.


def cloudflare_provider() -> cloudflare.Provider:
    """The one provider of all Cloudflare parts. It takes `CLOUDFLARE_API_TOKEN` from the environment.

    Explicit and without arguments: a token given here would be in Pulumi's state.
    """
    return cloudflare.Provider("cloudflare")


# Zone-wide settings: strict TLS, and what sockets and browsers need. One stack a zone makes them.


SETTINGS = {
    "ssl": "strict",
    "min_tls_version": "1.2",
    "tls_1_3": "on",
    "always_use_https": "on",
    "automatic_https_rewrites": "on",
    "opportunistic_encryption": "on",
    "tls_client_auth": "on",
    "websockets": "on",
    "http3": "on",
    "brotli": "on",
    "browser_check": "on",
    # A replayed first flight would be a replayed request.
    "0rtt": "off",
    # Scripts are the app's own: neither moved nor delayed.
    "rocket_loader": "off",
}
"""https://developers.cloudflare.com/api/resources/zones/subresources/settings/"""


class ZoneSettings(pulumi.ComponentResource):
    """TLS is checked at both ends (`strict`), nothing below TLS 1.2, sockets pass, HTTP/3 is offered.

    `tls_client_auth` and the switch beside it make Cloudflare show its certificate to every origin
    of the zone (authenticated origin pulls), which the load balancer asks for.
    """

    def __init__(self, name: str, zone: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:cloudflare:ZoneSettings", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        for setting, value in SETTINGS.items():
            cloudflare.ZoneSetting(
                f"{name}-{setting.replace('_', '-')}",
                zone_id=zone,
                setting_id=setting,
                value=value,
                opts=child,
            )
        cloudflare.AuthenticatedOriginPullsSettings(
            f"{name}-origin-pulls", zone_id=zone, enabled=True, opts=child
        )
        self.register_outputs({})


# DNS records by which ACM and SES see that a domain is ours.


_SECONDS = 300


class Proof(Protocol):
    """A record that somebody asks for. Names and values may end with a dot."""

    @property
    def name(self) -> pulumi.Input[str]: ...
    @property
    def type(self) -> pulumi.Input[str]: ...
    @property
    def value(self) -> pulumi.Input[str]: ...


@dataclass(frozen=True)
class ProofsArgs:
    """In which zone, and what by a short name each: `certificate`, `mail-1`."""

    zone: str
    records: Mapping[str, Proof]


class Proofs(pulumi.ComponentResource):
    """Records that are answered as they are, never by Cloudflare's proxy."""

    names: dict[str, pulumi.Output[str]]
    """By short name: the record's name, once it is there."""

    def __init__(self, name: str, args: ProofsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:cloudflare:Proofs", name, None, opts)
        self.names = {
            short: cloudflare.DnsRecord(
                f"{name}-{short}",
                zone_id=args.zone,
                name=pulumi.Output.from_input(proof.name).apply(without_dot),
                type=proof.type,
                content=pulumi.Output.from_input(proof.value).apply(without_dot),
                proxied=False,
                ttl=_SECONDS,
                comment="slipway",
                opts=pulumi.ResourceOptions(parent=self),
            ).name
            for short, proof in args.records.items()
        }
        self.register_outputs({"names": self.names})


def without_dot(text: str) -> str:
    """A full name as Cloudflare writes it: `_x.example.com`."""
    return text.removesuffix(".")
