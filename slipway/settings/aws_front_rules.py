"""Rules on settings of load balancer, certificate, Cloudflare, DNS names and mail."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from slipway.settings.aws import Aws, Cloudflare
from slipway.settings.stack import Stack
from slipway.settings.violations import Broken, shown

_ZONE_ID = re.compile(r"^Z[A-Z0-9]{5,31}$")
_NAME = re.compile(r"^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$")
_MODERN_TLS = re.compile(r"^ELBSecurityPolicy-(TLS13-1-[23]|TLS-1-2|FS-1-2)-")
"""Names of AWS's policies without TLS below 1.2 (ELB.17)."""
_SLOW_START = 30
"""AWS: 0, or 30 to 900 seconds."""
_CLOUDFLARE_SILENCE = 100
"""Seconds after which Cloudflare closes a silent connection."""


def front_rules(stack: Stack, aws: Aws) -> Iterator[Broken]:
    """What is wrong with load_balancer, hosted_zone, buckets.origins, mail.domain and cloudflare."""
    yield from _load_balancer(aws)
    yield from _heartbeat(aws, stack.cloudflare)
    yield from _proof(stack, aws)
    yield from _origins(aws)
    if stack.cloudflare:
        yield from _cloudflare(stack, stack.cloudflare)
    if aws.mail:
        yield from _mail(aws.mail.domain, stack.cloudflare)


def _load_balancer(aws: Aws) -> Iterator[Broken]:
    balancer = aws.load_balancer
    slow = ("aws", "load_balancer", "slow_start_seconds")
    if balancer.slow_start_seconds and balancer.algorithm == "least_outstanding_requests":
        yield (
            slow,
            f"must be 0 with least_outstanding_requests, got {balancer.slow_start_seconds}: AWS rejects both",
            'remove it, or set algorithm: "round_robin"',
        )
    elif 0 < balancer.slow_start_seconds < _SLOW_START:
        yield slow, f"must be 0 or {_SLOW_START} to 900, got {balancer.slow_start_seconds}", f"{_SLOW_START}"
    if not _MODERN_TLS.match(balancer.ssl_policy):
        yield (
            ("aws", "load_balancer", "ssl_policy"),
            f"must be a policy for TLS 1.2 and later only, got {shown(balancer.ssl_policy)}",
            'for example "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"',
        )


def _heartbeat(aws: Aws, cloudflare: Cloudflare | None) -> Iterator[Broken]:
    balancer = aws.load_balancer
    if balancer.idle_seconds < 2 * balancer.heartbeat_seconds:
        yield (
            ("aws", "load_balancer", "idle_seconds"),
            f"must be at least twice heartbeat_seconds ({balancer.heartbeat_seconds}),"
            f" got {balancer.idle_seconds}: one late message would close an open socket",
            f"at least {2 * balancer.heartbeat_seconds}, or a shorter heartbeat",
        )
    if cloudflare and balancer.heartbeat_seconds >= _CLOUDFLARE_SILENCE:
        yield (
            ("aws", "load_balancer", "heartbeat_seconds"),
            f"must be less than {_CLOUDFLARE_SILENCE} behind Cloudflare, which closes silent connections,"
            f" got {balancer.heartbeat_seconds}",
            "30 or less tolerates a lost one",
        )


def _proof(stack: Stack, aws: Aws) -> Iterator[Broken]:
    zone = ("aws", "hosted_zone")
    if aws.hosted_zone and stack.cloudflare:
        yield zone, "and slipway:cloudflare both answer for the domain", "keep one of them"
    elif aws.hosted_zone and not _ZONE_ID.match(aws.hosted_zone):
        yield (
            zone,
            f"must be the id of a Route 53 zone, got {shown(aws.hosted_zone)}",
            'for example "Z0123456789ABCDEFGHIJ"',
        )
    elif not (aws.hosted_zone or stack.cloudflare or aws.certificate):
        yield (
            ("aws", "certificate"),
            "is missing: a new certificate needs validation by DNS, and no zone is named",
            "set slipway:cloudflare, or aws.hosted_zone, or the ARN of a certificate of your own",
        )


def _origins(aws: Aws) -> Iterator[Broken]:
    for index, origin in enumerate(aws.buckets.origins):
        problem = _origin_problem(origin)
        if problem:
            yield (
                ("aws", "buckets", "origins", index),
                f"{problem}, got {shown(origin)}",
                'for example "https://app.example.com"',
            )


def _origin_problem(origin: str) -> str:
    if "*" in origin:
        return "must name one origin: with `*` any page could upload"
    try:
        parts = urlsplit(origin)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "must be an origin"
    if not host or parts.scheme not in ("https", "http"):
        return "must begin with https://"
    if parts.scheme == "http" and host not in ("localhost", "127.0.0.1"):
        return "must begin with https://: http can be read and changed in transit"
    if (
        origin != f"{parts.scheme}://{parts.netloc}"
        or "@" in parts.netloc
        or parts.netloc != parts.netloc.lower()
    ):
        return "must be scheme, host and port in small letters and nothing else, as browsers send it"
    return ""


def _cloudflare(stack: Stack, cloudflare: Cloudflare) -> Iterator[Broken]:
    if cloudflare.uploads == "r2" and not stack.uploads:
        yield ("cloudflare", "uploads"), "is r2, and the stack has no uploads", "set slipway:uploads: true"
    if not _NAME.match(cloudflare.zone_name):
        yield (
            ("cloudflare", "zone_name"),
            f"must be a domain name, got {shown(cloudflare.zone_name)}",
            'for example "example.com"',
        )
    elif not _within(stack.domain, cloudflare.zone_name):
        yield (
            ("domain",),
            f"{stack.domain} is not in Cloudflare's zone {cloudflare.zone_name}",
            f"choose a name below it, or the zone of {stack.domain}",
        )
    elif cloudflare.edge_certificate == "universal" and _depth(stack.domain, cloudflare.zone_name) > 1:
        flat = stack.domain.removesuffix(f".{cloudflare.zone_name}").replace(".", "-")
        yield (
            ("domain",),
            f"{stack.domain} is more than one label below {cloudflare.zone_name}:"
            " Cloudflare's universal certificate does not cover it",
            f'for example "{flat}.{cloudflare.zone_name}", or pay for an advanced certificate:'
            ' cloudflare.edge_certificate: "advanced"',
        )


def _mail(domain: str, cloudflare: Cloudflare | None) -> Iterator[Broken]:
    place = ("aws", "mail", "domain")
    if not _NAME.match(domain):
        yield place, f"must be a domain name, got {shown(domain)}", 'for example "example.com"'
    elif cloudflare and not _within(domain, cloudflare.zone_name):
        yield (
            place,
            f"{domain} is not in Cloudflare's zone {cloudflare.zone_name}, where its records are made",
            f'for example "{cloudflare.zone_name}"',
        )


def _within(domain: str, zone: str) -> bool:
    return domain == zone or domain.endswith(f".{zone}")


def _depth(domain: str, zone: str) -> int:
    return domain.count(".") - zone.count(".")
