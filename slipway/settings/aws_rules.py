"""What AWS or Cloudflare would reject, rejected before anything is made, with the reason.

Here: the account, names, network and hosts, and what production demands. Rules that also need the app are in
`aws_fit`.
"""

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from typing import Any

from slipway.settings.aws import Aws, Group, Network
from slipway.settings.aws_data_rules import data_rules
from slipway.settings.aws_fit import BAKED, EC2_TYPE, architecture_of_image, architecture_of_type
from slipway.settings.aws_front_rules import front_rules
from slipway.settings.aws_offered import offered_rules
from slipway.settings.controls import CONTROLS
from slipway.settings.debian import aws_image
from slipway.settings.stack import Stack
from slipway.settings.violations import Broken, shown

_LONGEST_BUCKET = 63
_LONGEST_FLEET_ID = _LONGEST_BUCKET - len("-uploads-") - len("123456789012")
"""A bucket is named `<fleet>-uploads-<account>`: AWS' 63 characters leave 42."""
_EXAMPLE_ACCOUNTS = {"123456789012", "000000000000", "111111111111", "111122223333"}
"""Placeholders in AWS's documentation."""
_EXAMPLE_IDS = {"0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"}
"""The ids in this project's own example stacks."""
_EXAMPLE_DOMAINS = re.compile(r"(^|[.@])example(\.(com|net|org))?$")
"""Reserved by RFC 2606."""


def broken_aws_rules(stack: Stack) -> Iterator[Broken]:
    """Everything in `stack`'s AWS and Cloudflare settings that cannot work."""
    if stack.aws is None:
        return
    yield from _names(stack)
    yield from fleet_rules(stack.aws)
    yield from front_rules(stack, stack.aws)
    yield from data_rules(stack, stack.aws)
    yield from offered_rules(stack, stack.aws)
    yield from _github(stack.aws)
    if 0 < stack.aws.secret_recovery_days < 7:
        yield (
            ("aws", "secret_recovery_days"),
            f"must be 0 or 7 to 30, got {stack.aws.secret_recovery_days}: AWS keeps a secret 7 days or not",
            "0 for a stack that is often made again",
        )
    if stack.previews:
        yield from _previews(stack, stack.aws)
    if stack.purpose == "production":
        yield from production_rules(stack, stack.aws)


_ROLES_KEPT_APART = 16
"""PostgreSQL's release notes of 16: CREATEROLE changes only roles that one has ADMIN OPTION on."""


def _previews(stack: Stack, aws: Aws) -> Iterator[Broken]:
    """One web host carries them, with the stack's database server; each has a name below the domain."""
    if aws.web.min != 1:
        yield (
            ("aws", "web", "min"),
            f"must be 1 where previews are carried, got {aws.web.min}: one host has them all",
            "a larger type carries more of them",
        )
    if aws.worker.min:
        yield (
            ("aws", "worker", "min"),
            f"must be 0 where previews are carried, got {aws.worker.min}: workers run beside the web process",
            "remove it",
        )
    if aws.database.pooler != "none":
        yield (
            ("aws", "database", "pooler"),
            "must be none where previews are carried: RDS Proxy knows one database role",
            "remove it",
        )
    if stack.database == "postgres" and float(aws.database.version) < _ROLES_KEPT_APART:
        yield (
            ("aws", "database", "version"),
            f"must be {_ROLES_KEPT_APART} or newer where previews are carried, got {aws.database.version}: in"
            " older ones a role that makes roles may change all others",
            "remove it",
        )
    if stack.cloudflare and stack.cloudflare.uploads == "r2":
        yield (
            ("cloudflare", "uploads"),
            "must be s3 where previews are carried: R2's token is good for the uploads of all of them",
            "remove it",
        )
    if not (stack.cloudflare or aws.hosted_zone):
        yield (
            ("aws", "hosted_zone"),
            f"is missing: the DNS record of *.{stack.domain} is made there",
            "set aws.hosted_zone or slipway:cloudflare",
        )
    if stack.cloudflare and stack.cloudflare.edge_certificate != "advanced":
        yield (
            ("cloudflare", "edge_certificate"),
            f"must be advanced: Cloudflare's universal certificate does not cover *.{stack.domain}",
            "edge_certificate: advanced; or the domain in Route 53, with aws.hosted_zone",
        )


def left_placeholders(stack: Stack) -> Iterator[Broken]:
    """Settings that still have an example's value: they load, but nothing can be made with them."""
    if stack.aws is None:
        return
    given: list[tuple[tuple[str | int, ...], str, bool]] = [
        (("domain",), stack.domain, bool(_EXAMPLE_DOMAINS.search(stack.domain))),
        (("aws", "account"), stack.aws.account, stack.aws.account in _EXAMPLE_ACCOUNTS),
    ]
    if stack.cloudflare:
        for key in ("account", "zone"):
            value: str = getattr(stack.cloudflare, key)
            given.append((("cloudflare", key), value, value in _EXAMPLE_IDS))
    if stack.aws.mail:
        domain = stack.aws.mail.domain
        given.append((("aws", "mail", "domain"), domain, bool(_EXAMPLE_DOMAINS.search(domain))))
    for index, email in enumerate(stack.aws.alerts.emails):
        given.append((("aws", "alerts", "emails", index), email, bool(_EXAMPLE_DOMAINS.search(email))))
    for key, value, is_example in given:
        if is_example:
            yield key, f"{shown(value)} is an example's value", "use your own"


def _names(stack: Stack) -> Iterator[Broken]:
    if len(stack.fleet_id) > _LONGEST_FLEET_ID:
        yield (
            (),
            f"the project's and the stack's name are too long together for AWS: {stack.fleet_id}",
            f"{_LONGEST_FLEET_ID - 1} characters at most: buckets are named after them and the account",
        )
    if "--" in stack.fleet_id or stack.fleet_id.endswith("-"):
        yield (
            (),
            f"{stack.fleet_id} cannot be a name in AWS: two hyphens in a row, or one at the end",
            "rename the project or the stack; databases and caches are named after them",
        )
    yield from _certificate(stack, stack.aws) if stack.aws else ()


def _certificate(stack: Stack, aws: Aws) -> Iterator[Broken]:
    if not aws.certificate:
        return
    form = re.fullmatch(
        r"arn:aws[a-z-]*:acm:([a-z0-9-]+):([0-9]{12}):certificate/[0-9a-f-]{36}", aws.certificate
    )
    place = ("aws", "certificate")
    if not form:
        yield (
            place,
            f"must be the ARN of a certificate in ACM, got {shown(aws.certificate)}",
            f'for example "arn:aws:acm:{aws.region}:{aws.account}:certificate/…", or leave it out',
        )
    elif form[1] != aws.region:
        yield (
            place,
            f"is of region {form[1]}, and stack {stack.name} is in {aws.region}",
            "a load balancer needs a certificate in its own region: import or request it there",
        )
    elif form[2] != aws.account:
        yield (
            place,
            f"is of account {form[2]}, and the stack's is {aws.account}",
            "request it in this account",
        )


def _github(aws: Aws) -> Iterator[Broken]:
    if aws.github and bool(aws.github.owner_id) != bool(aws.github.repository_id):
        yield (
            ("aws", "github", "repository_id"),
            "and owner_id go together: GitHub's tokens name both numbers, or neither",
            "slipway github ids prints both",
        )


_PARTS: dict[str, Callable[[Stack], bool]] = {
    "database": lambda stack: stack.database == "postgres",
    "cache": lambda stack: stack.redis,
}
"""Groups of settings that only some stacks need, and which."""


def production_rules(stack: Stack, aws: Aws) -> Iterator[Broken]:
    """The controls that production's settings do not meet."""
    if not aws.alerts.emails:
        yield (
            ("aws", "alerts", "emails"),
            "must name an address in production: alarms would reach no one",
            'for example ["oncall@your.domain"]; its owner confirms it once',
        )
    for control in CONTROLS:
        key = tuple(control.setting.split("."))
        if control.demands is None or not _PARTS.get(key[0], lambda _: True)(stack):
            continue
        value: Any = aws
        for name in key:
            value = getattr(value, name)
        if value is not None and not control.demands(value):
            yield (
                ("aws", *key),
                f"must be {control.demands.phrase} in production, got {shown(value)}:"
                f" {control.risk} ({', '.join(control.controls)})",
                "remove it: production's default is right; or set slipway:purpose: preview",
            )


_IMAGE = re.compile(r"^(ami-([0-9a-f]{8}|[0-9a-f]{17})|resolve:ssm:/\S+)$")
_PRIVATE = [IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
"""RFC 1918. Other addresses belong to someone, whom the hosts could not reach."""
_WIDEST, _NARROWEST = 16, 20
"""AWS accepts a VPC of /16 to /28. Public, private and data subnets in up to three zones are sixteenths of
it: /24 in a /20, enough for a load balancer (AWS requires a /27 with 8 free addresses) and 64 hosts."""


def fleet_rules(aws: Aws) -> Iterator[Broken]:
    """What is wrong with network, image, web and worker."""
    yield from _cidr(aws.network.cidr)
    yield from _zones(aws.network)
    if aws.image not in {"", BAKED} and not _IMAGE.match(aws.image):
        yield (
            ("aws", "image"),
            f"must be an image or a parameter that names one, got {shown(aws.image)}",
            f'"ami-0123456789abcdef0", or "{aws_image("arm64")}"',
        )
    yield from _group("web", aws.web, aws.image)
    yield from _group("worker", aws.worker, aws.image)
    web, worker = architecture_of_type(aws.web.type), architecture_of_type(aws.worker.type)
    if architecture_of_image(aws.image) is None and web and worker and web != worker:
        yield (
            ("aws", "worker", "type"),
            f"{aws.worker.type} is {worker} and web's {aws.web.type} is {web}: both run one build",
            "choose types of one architecture",
        )


def _cidr(cidr: str) -> Iterator[Broken]:
    place = ("aws", "network", "cidr")
    try:
        network = IPv4Network(cidr)
    except ValueError:
        yield place, f"must be an IPv4 network, got {shown(cidr)}", 'for example "10.20.0.0/16"'
        return
    if not _WIDEST <= network.prefixlen <= _NARROWEST:
        yield (
            place,
            f"must be /{_WIDEST} to /{_NARROWEST}, got {shown(cidr)}",
            f'for example "{network.network_address}/{_WIDEST}"'
            if network.prefixlen > _NARROWEST
            else "AWS accepts no more; 3 tiers of subnets in 3 zones fit into any of these",
        )
    elif not any(network.subnet_of(private) for private in _PRIVATE):
        yield (
            place,
            f"must be a private network, got {shown(cidr)}: its addresses belong to someone on the internet",
            "choose one in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
        )


def _zones(network: Network) -> Iterator[Broken]:
    ids, place = network.zone_ids, ("aws", "network", "zone_ids")
    if len(set(ids)) < len(ids):
        yield place, f"names a zone twice: {shown(ids)}", "an id for each zone"
    elif ids and len(ids) < network.zones:
        yield (
            place,
            f"must have an id for each of {network.zones} zones, got {shown(ids)}",
            "remove zone_ids and repeat slipway bootstrap: it keeps the zones of the subnets and adds one",
        )


def _group(role: str, group: Group, image: str) -> Iterator[Broken]:
    if not EC2_TYPE.match(group.type):
        yield (
            ("aws", role, "type"),
            f"must be an EC2 instance type, got {shown(group.type)}",
            'for example "t3.medium"; db. and cache. types are for the database and the cache',
        )
    own, images = architecture_of_type(group.type), architecture_of_image(image)
    if own and images and own != images:
        yield (
            ("aws", role, "type"),
            f"{group.type} is {own} and the image is for {images}: the host would not boot",
            f"choose an {images} type, or set image to an {own} one",
        )
    if group.max < group.min + 1:
        yield (
            ("aws", role, "max"),
            f"must be at least min + 1 = {group.min + 1}, got {group.max}",
            "a new host starts before an old one is terminated",
        )
