"""Hosts: launch templates and scaling groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from infra.policies.entries import entries
from infra.policies.rule import World, at, holds, made, rule, world
from infra.recording.graph import Resource

TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
HOSTS = "aws:autoscaling/group:Group"

SETTINGS = [
    holds(
        "hosts-imdsv2", TEMPLATE, "metadataOptions.httpTokens", good="required", bad="optional",
        says="Hosts' credentials are given to sessions of IMDSv2 only.", controls=("EC2.8", "EC2.170"),
        severity="high",
    ),
    holds(
        "hosts-imds-one-hop", TEMPLATE, "metadataOptions.httpPutResponseHopLimit", good=1, bad=2,
        says="Hosts' credentials do not leave the host.", controls=("AutoScaling.4", "EC2.8"),
        severity="medium",
    ),
    holds(
        "hosts-no-key-pair", TEMPLATE, "keyName", good="", bad="laptop", when=lambda value: not value,
        absent_is_good=True,
        says="No static ssh key lies on hosts.", controls=("I7",), severity="high",
    ),
    holds(
        "hosts-replaced-when-unhealthy", HOSTS, "healthCheckType", good="ELB", bad="EC2",
        says="Web hosts that fail the readiness check are replaced.", controls=("AutoScaling.1", "I3"),
        severity="medium", only=lambda inputs: bool(inputs.get("targetGroupArns")),
        given={"targetGroupArns": ["arn"]},
    ),
    holds(
        "hosts-in-two-zones", HOSTS, "vpcZoneIdentifiers", good=["a", "b"], bad=["a"],
        when=lambda value: isinstance(value, list) and len(value) >= 2,  # pyright: ignore[reportUnknownArgumentType]
        says="Hosts are spread over two zones at least.", controls=("AutoScaling.2", "I1"), severity="medium",
    ),
    holds(
        "hosts-refreshed-one-by-one", HOSTS, "instanceRefresh.preferences.minHealthyPercentage", good=100,
        bad=50, when=lambda value: isinstance(value, int) and value >= 90,
        says="Replacing hosts never halves the fleet.", controls=("S5", "I3"), severity="medium",
    ),
]  # fmt: skip


def _template(**inputs: Any) -> World:
    return world(made(TEMPLATE, inputs=inputs))


@rule(
    "hosts-have-no-public-address", TEMPLATE,
    controls=("EC2.25", "AutoScaling.5", "I7"), severity="high",
    remedy="set associate_public_ip_address to false: people reach hosts by Session Manager",
    passing=[_template(), _template(networkInterfaces=[{"associatePublicIpAddress": "false"}])],
    failing=[_template(networkInterfaces=[{"associatePublicIpAddress": "true"}])],
)  # fmt: skip
def hosts_private(template: Resource, _: World) -> Iterable[str]:
    """Hosts have no public address."""
    for each in entries(template.inputs.get("networkInterfaces")):
        if str(each.get("associatePublicIpAddress", "false")).lower() == "true":
            yield "associatePublicIpAddress is true"


@rule(
    "hosts-disks-encrypted", TEMPLATE,
    controls=("EC2.3", "EC2.7"), severity="high", remedy="set ebs.encrypted on every block device",
    passing=[_template(blockDeviceMappings=[{"ebs": {"encrypted": "true"}}])],
    failing=[_template(blockDeviceMappings=[{"ebs": {"encrypted": "false"}}]), _template()],
)  # fmt: skip
def disks_encrypted(template: Resource, _: World) -> Iterable[str]:
    """Every disk of a host is encrypted."""
    disks = entries(template.inputs.get("blockDeviceMappings"))
    if not disks:
        yield "names no disk, so that the image decides"
    for each in disks:
        if str(at(each, "ebs.encrypted")).lower() != "true":
            yield f"disk {each.get('deviceName', '')} is not encrypted"


RULES = [*SETTINGS, hosts_private, disks_encrypted]
