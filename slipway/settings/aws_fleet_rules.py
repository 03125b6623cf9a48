"""Rules on the network and on the hosts: address space, instance types, image, group sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network

from slipway.settings.aws import Aws, Group, Network
from slipway.settings.aws_limits import EC2_TYPE, architecture_of_image, architecture_of_type
from slipway.settings.violations import Broken, shown

_IMAGE = re.compile(r"^(ami-([0-9a-f]{8}|[0-9a-f]{17})|resolve:ssm:/\S+)$")
_PRIVATE = [IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
"""RFC 1918. Addresses outside belong to someone: the hosts could not reach theirs."""
_WIDEST, _NARROWEST = 16, 20
"""AWS takes a VPC of /16 to /28. Public, private and data subnets in up to three zones are sixteenths of it:
of a /20 they are /24, where a load balancer (/27 and 8 free addresses, says AWS) and 64 hosts have room."""


def fleet_rules(aws: Aws) -> Iterator[Broken]:
    """What is wrong with network, image, web and worker."""
    yield from _cidr(aws.network.cidr)
    yield from _zones(aws.network)
    if not _IMAGE.match(aws.image):
        yield (
            ("aws", "image"),
            f"must be an image or a parameter that names one, got {shown(aws.image)}",
            '"ami-0123456789abcdef0", or "resolve:ssm:/aws/service/debian/release/12/latest/amd64"',
        )
    yield from _group("web", aws.web, aws.image)
    yield from _group("worker", aws.worker, aws.image)
    web, worker = architecture_of_type(aws.web.type), architecture_of_type(aws.worker.type)
    if architecture_of_image(aws.image) is None and web and worker and web != worker:
        yield (
            ("aws", "worker", "type"),
            f"{aws.worker.type} is {worker} and web's {aws.web.type} is {web}: both boot one image",
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
            else "AWS takes no more; 3 tiers of subnets in 3 zones fit into any of these",
        )
    elif not any(network.subnet_of(private) for private in _PRIVATE):
        yield (
            place,
            f"must be a private network, got {shown(cidr)}: its addresses belong to someone on the internet",
            "choose one in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
        )


def _zones(network: Network) -> Iterator[Broken]:
    letters, place = network.zone_letters, ("aws", "network", "zone_letters")
    if len(set(letters)) < len(letters):
        yield place, f"names a zone twice: {shown(letters)}", "a letter for each zone"
    elif len(letters) < network.zones:
        yield (
            place,
            f"must have a letter for each of {network.zones} zones, got {shown(letters)}",
            "add one, or set zones: 2",
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
            "a new host comes before an old one goes",
        )
