"""Which hosts a stack has at this moment: the members of its Auto Scaling groups that can be worked with.

A host's ssh key is trusted because of where it lies: below `hosts/` in the builds bucket an instance may
write under its own `aws:userid` alone (`<unique id of its role>:<instance id>`), which no host can choose.
"""

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from slipway.platforms.aws.session import AwsSession
from slipway.settings import Cloud, Host, Role
from slipway.settings.aws_names import FLEET_TAG, HOST_KEYS, ROLE_TAG
from slipway.storage.bucket import Bucket

USER = "admin"
"""Debian's own images have this user, who may sudo."""
AT_ONCE = 16
ALIVE = ["pending", "running", "shutting-down", "stopping"]
_KEY = re.compile(r"(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/]{40,1000}={0,3}")


@dataclass(frozen=True)
class Member:
    """An instance that belongs to a group of the fleet. `why_not`: empty if it can be worked with."""

    instance: str
    role: Role
    address: str
    launched: str
    why_not: str = ""

    @property
    def name(self) -> str:
        """`web-4567890a`: the role, and the end of the instance's id."""
        return f"{self.role}-{self.instance[-8:]}"


@dataclass(frozen=True)
class Members:
    """The fleet: hosts to work with, oldest first within a role, and why the others are not among them."""

    hosts: list[Host]
    absent: dict[str, str] = field(default_factory=dict[str, str])
    """By name: still starting, or leaving."""


STARTING = "still starting"
LEAVING = "leaving"


@dataclass(frozen=True)
class Seen:
    """What AWS says of a fleet, as it says it."""

    groups: list[dict[str, Any]]
    reservations: list[dict[str, Any]]


def look(session: AwsSession, fleet: str) -> Seen:
    """Ask Auto Scaling and EC2, at the same time, for all that is tagged as `fleet`'s."""
    tagged = {"Name": f"tag:{FLEET_TAG}", "Values": [fleet]}
    alive = {"Name": "instance-state-name", "Values": ALIVE}
    with ThreadPoolExecutor(2, thread_name_prefix="discovery") as pool:
        groups = pool.submit(
            session.pages,
            "autoscaling",
            "describe_auto_scaling_groups",
            "AutoScalingGroups",
            Filters=[tagged],
        )
        reservations = pool.submit(
            session.pages, "ec2", "describe_instances", "Reservations", Filters=[tagged, alive]
        )
        return Seen(groups.result(), reservations.result())


def discover(seen: Seen, cloud: Cloud, bucket: Bucket) -> Members:
    """The hosts among what was `seen`, with their ssh keys from the builds bucket.

    An instance that has not published its key yet is still starting: absent, and no failure.
    """
    found = members(cloud, seen.groups, seen.reservations)
    ready = [member for member in found if not member.why_not]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="discovery") as pool:
        asked = {member: pool.submit(host_key, bucket, cloud, member) for member in ready}
        keys = {member: answer.result() for member, answer in asked.items()}
    absent = unlaunched(cloud, seen.groups)
    absent |= {member.name: member.why_not for member in found if member.why_not}
    absent |= {
        member.name: f"{STARTING}: it has not published its ssh host key yet"
        for member, key in keys.items()
        if not key
    }
    return Members([_host(member, key) for member, key in keys.items() if key], absent)


def members(
    cloud: Cloud, groups: Iterable[Mapping[str, Any]], reservations: Iterable[Mapping[str, Any]]
) -> list[Member]:
    """Who belongs to the fleet. Pure.

    Membership of the group decides; that the instance carries the group's role as its tag must agree, so
    that neither a stray tag nor an instance moved between groups becomes a host.
    """
    instances = {each["InstanceId"]: each for one in reservations for each in one.get("Instances", [])}
    states = {group["AutoScalingGroupName"]: group.get("Instances", []) for group in groups}
    found: list[Member] = []
    for role, name in cloud.groups.items():
        for state in states.get(name, []):
            instance = instances.get(state["InstanceId"])
            if instance is None or _tag(instance, ROLE_TAG) != role:
                continue
            found.append(
                Member(
                    instance=state["InstanceId"],
                    role=role,
                    address=instance.get("PrivateIpAddress", ""),
                    launched=str(instance.get("LaunchTime", "")),
                    why_not=_why_not(state, instance),
                )
            )
    return sorted(found, key=lambda member: (member.role, member.launched, member.instance))


def unlaunched(cloud: Cloud, groups: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By role, how many hosts a group wants that are not even instances yet. Pure."""
    roles = {name: role for role, name in cloud.groups.items()}
    missing = {
        roles[group["AutoScalingGroupName"]]: int(group.get("DesiredCapacity", 0))
        - len(group.get("Instances", []))
        for group in groups
        if group["AutoScalingGroupName"] in roles
    }
    return {
        f"{role}-new": f"{STARTING}: {count} more are to be launched"
        for role, count in missing.items()
        if count > 0
    }


def host_key(bucket: Bucket, cloud: Cloud, member: Member) -> str:
    """The key that this very instance published, `ssh-ed25519 AAAA…`; empty if there is none, or no key."""
    role = cloud.roles.get(member.role)
    content = bucket.get_bytes(f"{HOST_KEYS}/{role}:{member.instance}") if role else None
    # What a host says goes into known_hosts: nothing but one well-formed key may.
    text = " ".join((content or b"").decode(errors="replace").split()[:2])
    return text if _KEY.fullmatch(text) else ""


def _why_not(state: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    lifecycle, power = str(state.get("LifecycleState", "")), str(instance["State"]["Name"])
    if lifecycle.startswith("Pending") or power == "pending":
        return f"{STARTING}: {lifecycle}"
    if lifecycle != "InService" or power != "running":
        return f"{LEAVING}: {lifecycle}, {power}"
    if state.get("HealthStatus", "").lower() != "healthy":
        return f"{LEAVING}: its group will replace it, for it is unhealthy"
    return ""


def _tag(instance: Mapping[str, Any], name: str) -> str:
    return next((tag["Value"] for tag in instance.get("Tags", []) if tag["Key"] == name), "")


def _host(member: Member, key: str) -> Host:
    return Host(
        name=member.name,
        role=member.role,
        address=member.address,
        ssh_host=member.instance,
        ssh_user=USER,
        host_key=key,
    )
