"""Rules on the account, the network and the hosts that need more than one input."""

from collections.abc import Iterable

from infra.policies.reading import at, entries
from infra.policies.rule import Alone, Together, World
from infra.recording.graph import Resource
from slipway.settings.controls import tokens as on

EVERYONE = ("0.0.0.0/0", "::/0")


def provider_explicit(resource: Resource) -> Iterable[str]:
    if resource.custom and resource.type.startswith(("aws:", "cloudflare:")):
        name = resource.provider.rpartition("::")[2]
        if not name or name.startswith("default"):
            yield "is made by the default provider: the environment decides where"


def region_by_provider(resource: Resource) -> Iterable[str]:
    if resource.type.startswith("aws:") and resource.inputs.get("region"):
        yield f"region is {resource.inputs['region']}"


def nothing_deprecated(resource: Resource) -> Iterable[str]:
    old = resource.type.startswith(("aws:alb/", "aws:elb/")) or resource.type in {
        "aws:s3/bucketObject:BucketObject", "cloudflare:index/record:Record",
        "cloudflare:index/workerScript:WorkerScript", "cloudflare:index/workerRoute:WorkerRoute",
        "cloudflare:index/zoneSettingsOverride:ZoneSettingsOverride",
    }  # fmt: skip
    if old or (resource.type.startswith("aws:s3/") and resource.type.endswith("V2")):
        yield "is deprecated"


def flow_log(vpc: Resource, stack: World) -> Iterable[str]:
    if not stack.linked(vpc, on.FLOW_LOG, by="vpcId"):
        yield "has no flow log"


def default_group_empty(vpc: Resource, stack: World) -> Iterable[str]:
    groups = stack.linked(vpc, on.DEFAULT_SECURITY_GROUP, by="vpcId")
    if not groups:
        yield "its default security group still has AWS's rules"
    for group in groups:
        for side in ("ingress", "egress"):
            if group.inputs.get(side):
                yield f"its default security group has {side} rules"


def rules_apart(group: Resource) -> Iterable[str]:
    if group.type == on.SECURITY_GROUP_RULE:
        yield "is a SecurityGroupRule"
    for side in ("ingress", "egress"):
        if group.inputs.get(side):
            yield f"has inline {side} rules"


def open_ports(ingress: Resource, stack: World) -> Iterable[str]:
    ranges = [ingress.inputs.get(name) for name in ("cidrIpv4", "cidrIpv6")]
    if not any(each in EVERYONE or str(each).endswith("/0") for each in ranges if each):
        return
    first, last = ingress.inputs.get("fromPort"), ingress.inputs.get("toPort")
    if (first, last) not in ((80, 80), (443, 443)):
        yield f"opens ports {first} to {last} to the internet"
    elif any(each.type.startswith("cloudflare:") for each in stack.graph):
        yield "is open to the internet: only Cloudflare's ranges may reach the load balancer"
    elif not _guards_load_balancer(ingress, stack):
        yield "opens something other than a load balancer to the internet"


def _guards_load_balancer(ingress: Resource, stack: World) -> bool:
    groups = stack.behind(ingress, "securityGroupId", on.SECURITY_GROUP)
    return any(stack.linked(group, on.LOAD_BALANCER, by="securityGroups") for group in groups)


def hosts_private(template: Resource) -> Iterable[str]:
    for each in entries(template.inputs.get("networkInterfaces")):
        if str(each.get("associatePublicIpAddress", "false")).lower() == "true":
            yield "associatePublicIpAddress is true"


def disks_encrypted(template: Resource) -> Iterable[str]:
    disks = entries(template.inputs.get("blockDeviceMappings"))
    if not disks:
        yield "names no disk, so the image decides"
    for each in disks:
        if str(at(each, "ebs.encrypted")).lower() != "true":
            yield f"disk {each.get('deviceName', '')} is not encrypted"


ALONE: dict[str, Alone] = {
    "provider-explicit": provider_explicit,
    "region-by-provider": region_by_provider,
    "nothing-deprecated": nothing_deprecated,
    "security-group-rules-apart": rules_apart,
    "hosts-have-no-public-address": hosts_private,
    "hosts-disks-encrypted": disks_encrypted,
}
TOGETHER: dict[str, Together] = {
    "vpc-flow-log": flow_log,
    "vpc-default-group-empty": default_group_empty,
    "security-group-open-ports": open_ports,
}
