"""VPC, subnets and security groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from infra.policies.load_balancer import LB
from infra.policies.rule import World, holds, made, rule, world
from infra.recording.graph import Resource

VPC = "aws:ec2/vpc:Vpc"
FLOW_LOG = "aws:ec2/flowLog:FlowLog"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
OLD_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
SUBNET = "aws:ec2/subnet:Subnet"

EVERYONE = ("0.0.0.0/0", "::/0")

SETTINGS = [
    holds(
        "flow-log-of-all-traffic", FLOW_LOG, "trafficType", good="ALL", bad="ACCEPT",
        when=lambda value: value in {"ALL", "REJECT"},
        says="Refused connections are logged.", controls=("EC2.6",), severity="medium",
    ),
]  # fmt: skip

_VPC = made(VPC, "vpc")
_LOG = made(FLOW_LOG, "log", inputs={"trafficType": "ALL"}, links={"vpcId": _VPC})


@rule(
    "vpc-flow-log", VPC,
    controls=("EC2.6",), severity="medium", remedy="give the VPC a FlowLog",
    passing=[world(_VPC, _LOG)], failing=[world(_VPC)],
)  # fmt: skip
def flow_log(vpc: Resource, stack: World) -> Iterable[str]:
    """Every VPC logs its connections."""
    if not stack.linked(vpc, FLOW_LOG, by="vpcId"):
        yield "has no flow log"


@rule(
    "vpc-default-group-empty", VPC,
    controls=("EC2.2",), severity="high", remedy="adopt it with ec2.DefaultSecurityGroup, without rules",
    passing=[world(_VPC, made(DEFAULT_GROUP, links={"vpcId": _VPC}))],
    failing=[
        world(_VPC),
        world(_VPC, made(DEFAULT_GROUP, inputs={"ingress": [{"fromPort": 0}]}, links={"vpcId": _VPC})),
        world(_VPC, made(DEFAULT_GROUP, inputs={"egress": [{"fromPort": 0}]}, links={"vpcId": _VPC})),
    ],
)  # fmt: skip
def default_group_empty(vpc: Resource, stack: World) -> Iterable[str]:
    """The VPC's default security group lets nothing through."""
    groups = stack.linked(vpc, DEFAULT_GROUP, by="vpcId")
    if not groups:
        yield "its default security group is as AWS made it"
    for group in groups:
        for side in ("ingress", "egress"):
            if group.inputs.get(side):
                yield f"its default security group has {side} rules"


@rule(
    "security-group-rules-apart", GROUP, OLD_RULE,
    controls=("I1",), severity="medium",
    remedy="use vpc.SecurityGroupIngressRule and EgressRule: two owners undo each other (pulumi-eks#1031)",
    passing=[world(made(GROUP))],
    failing=[world(made(GROUP, inputs={"ingress": [{"fromPort": 443}]})), world(made(OLD_RULE))],
)  # fmt: skip
def rules_apart(group: Resource, _: World) -> Iterable[str]:
    """Each rule of a security group is a resource of its own."""
    if group.type == OLD_RULE:
        yield "is a SecurityGroupRule"
    for side in ("ingress", "egress"):
        if group.inputs.get(side):
            yield f"has inline {side} rules"


def _ingress(port: int | None, *others: Resource, **inputs: Any) -> World:
    group = made(GROUP, "edge")
    ports = {} if port is None else {"fromPort": port, "toPort": port}
    return world(
        group,
        made(LB, "lb", links={"securityGroups": group}),
        made(INGRESS, inputs={"ipProtocol": "tcp", **ports, **inputs}, links={"securityGroupId": group}),
        *others,
    )


_RECORD = made("cloudflare:index/dnsRecord:DnsRecord", "site")


@rule(
    "security-group-open-ports", INGRESS,
    controls=("EC2.13", "EC2.14", "EC2.18", "EC2.19", "EC2.53", "EC2.54", "I1"), severity="critical",
    remedy="let in a security group or known ranges; the world may reach the load balancer's 80 and 443 only",
    passing=[
        _ingress(443, cidrIpv4="0.0.0.0/0"),
        _ingress(443, _RECORD, cidrIpv4="173.245.48.0/20"),
        _ingress(22, cidrIpv4="10.20.0.0/16"),
    ],
    failing=[
        _ingress(22, cidrIpv4="0.0.0.0/0"),
        _ingress(5432, cidrIpv6="::/0"),
        _ingress(None, cidrIpv4="0.0.0.0/0"),
        _ingress(443, _RECORD, cidrIpv4="0.0.0.0/0"),
    ],
)  # fmt: skip
def open_ports(ingress: Resource, stack: World) -> Iterable[str]:
    """The world reaches the load balancer only, and behind Cloudflare not even that."""
    ranges = [ingress.inputs.get(name) for name in ("cidrIpv4", "cidrIpv6")]
    if not any(each in EVERYONE or str(each).endswith("/0") for each in ranges if each):
        return
    first, last = ingress.inputs.get("fromPort"), ingress.inputs.get("toPort")
    if (first, last) not in ((80, 80), (443, 443)):
        yield f"opens ports {first} to {last} to the world"
    elif any(each.type.startswith("cloudflare:") for each in stack.graph):
        yield "is open to the world: only Cloudflare's ranges may reach the load balancer"
    elif not _guards_load_balancer(ingress, stack):
        yield "opens something else than a load balancer to the world"


def _guards_load_balancer(ingress: Resource, stack: World) -> bool:
    groups = stack.behind(ingress, "securityGroupId", GROUP)
    return any(stack.linked(group, LB, by="securityGroups") for group in groups)


def _subnet(public: bool | None) -> World:
    given = {} if public is None else {"mapPublicIpOnLaunch": public}
    return world(made(SUBNET, inputs=given))


@rule(
    "subnet-gives-no-public-address", SUBNET,
    controls=("EC2.15",), severity="medium", remedy="leave map_public_ip_on_launch out, or false",
    passing=[_subnet(None), _subnet(False)], failing=[_subnet(True)],
)  # fmt: skip
def no_public_address(subnet: Resource, _: World) -> Iterable[str]:
    """Nothing gets a public address by being started."""
    if subnet.inputs.get("mapPublicIpOnLaunch"):
        yield "mapPublicIpOnLaunch is true"


RULES = [*SETTINGS, flow_log, default_group_empty, rules_apart, open_ports, no_public_address]
