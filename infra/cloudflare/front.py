"""Cloudflare in front of the load balancer: DNS records, certificates and zone settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pulumi
import pulumi_cloudflare as cloudflare

from infra.cloudflare.rulesets import Rulesets, RulesetsArgs
from slipway.settings.aws import Cloudflare

AUTOMATIC = 1
"""TTL of a proxied record: Cloudflare decides."""


@dataclass(frozen=True)
class FrontArgs:
    """The zone, the domain and the origin."""

    settings: Cloudflare
    domain: str
    origin: pulumi.Input[str]
    """DNS name of the load balancer."""
    names_below: bool = False
    """Also `*.domain`, and a certificate for it."""


class Front(pulumi.ComponentResource):
    """A proxied record for the domain, with the load balancer as its origin; with `names_below` two.

    With `manage_zone`, the zone's settings, firewall, rate limit and cache rules are made too. Cloudflare's
    universal certificate does not cover a name more than one label below the zone; such a name has a
    certificate of its own (Advanced Certificate Manager, which costs by the month).
    """

    site: pulumi.Output[str]
    """The domain, known once its record exists."""

    def __init__(self, name: str, args: FrontArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:cloudflare:Front", name, None, opts)
        settings, child = args.settings, pulumi.ResourceOptions(parent=self)
        domains = {"site": args.domain, **({"below": f"*.{args.domain}"} if args.names_below else {})}
        records = {
            what: cloudflare.DnsRecord(
                f"{name}-{what}",
                zone_id=settings.zone,
                name=domain,
                type="CNAME",
                content=args.origin,
                proxied=True,
                ttl=AUTOMATIC,
                comment="slipway",
                opts=child,
            )
            for what, domain in domains.items()
        }
        if args.names_below or not covered_by_zone(args.domain, settings.zone_name):
            cloudflare.CertificatePack(
                f"{name}-certificate",
                zone_id=settings.zone,
                type="advanced",
                hosts=[settings.zone_name, *domains.values()],
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
                managed_rules=settings.managed_rules and settings.plan != "free",
                by_path_only=settings.plan == "free",
            )
            Rulesets(f"{name}-rules", rules, child)
        self.site = records["site"].name
        self.register_outputs({"site": self.site})


def covered_by_zone(domain: str, zone: str) -> bool:
    """Does the universal certificate, for `zone` and `*.zone`, cover `domain`?"""
    return domain == zone or "." not in domain.removesuffix(f".{zone}")


def cloudflare_provider() -> cloudflare.Provider:
    """The provider of all Cloudflare resources. It reads `CLOUDFLARE_API_TOKEN` from the environment.

    It has no arguments: a token passed here would be stored in Pulumi's state.
    """
    return cloudflare.Provider("cloudflare")


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
    "browser_check": "on",
    # Early data can be replayed, and with it a request.
    "0rtt": "off",
    # Cloudflare must not move or delay the app's scripts.
    "rocket_loader": "off",
}
"""https://developers.cloudflare.com/api/resources/zones/subresources/settings/"""


class ZoneSettings(pulumi.ComponentResource):
    """Zone-wide settings: verified TLS to the origin, TLS 1.2 or later, WebSockets, HTTP/3.

    One stack of each zone makes them. `tls_client_auth` and `AuthenticatedOriginPullsSettings` make
    Cloudflare send its client certificate to every origin of the zone, which the load balancer requires.
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


_SECONDS = 300


class Proof(Protocol):
    """A DNS record with which ACM or SES validates a domain. Name and value may end with a dot."""

    @property
    def name(self) -> pulumi.Input[str]: ...
    @property
    def type(self) -> pulumi.Input[str]: ...
    @property
    def value(self) -> pulumi.Input[str]: ...
    @property
    def priority(self) -> int | None: ...


@dataclass(frozen=True)
class ProofsArgs:
    """The zone, and the records by a short name: `certificate`, `dkim-1`."""

    zone: str
    records: Mapping[str, Proof]


class Proofs(pulumi.ComponentResource):
    """Validation records, not proxied by Cloudflare."""

    names: dict[str, pulumi.Output[str]]
    """By short name: the record's name, known once it exists."""

    def __init__(self, name: str, args: ProofsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:cloudflare:Proofs", name, None, opts)
        self.names = {
            short: cloudflare.DnsRecord(
                f"{name}-{short}",
                zone_id=args.zone,
                name=pulumi.Output.from_input(proof.name).apply(without_dot),
                type=proof.type,
                content=pulumi.Output.from_input(proof.value).apply(
                    quoted if proof.type == "TXT" else without_dot
                ),
                priority=proof.priority,
                proxied=False,
                ttl=_SECONDS,
                comment="slipway",
                opts=pulumi.ResourceOptions(parent=self),
            ).name
            for short, proof in args.records.items()
        }
        self.register_outputs({"names": self.names})


def quoted(text: str) -> str:
    """A TXT record as Cloudflare stores it: unquoted, it would differ at every refresh."""
    return f'"{text}"'


def without_dot(text: str) -> str:
    """A name as Cloudflare stores it: `_x.example.com`."""
    return text.removesuffix(".")
