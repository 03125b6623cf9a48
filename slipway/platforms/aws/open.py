"""Opening a stack on AWS: its outputs, its hosts of this moment, and what ssh needs to reach them.

Hosts are the members of the stack's Auto Scaling groups that can be worked with. A host's ssh key is trusted
because of where it lies: below `hosts/` in the builds bucket an instance may write under its own
`aws:userid` alone (`<unique id of its role>:<instance id>`), which no host can choose.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from slipway.fleet.open_bucket import open_bucket
from slipway.fleet.ssh_config import write_ssh_config
from slipway.platforms.aws.session import AwsRefused, AwsSession, check_account, names_of, session_of
from slipway.platforms.aws.tunnel import proxy_command, ssh_key
from slipway.platforms.platform import Opened
from slipway.settings import BadInput, Cloud, Host, Outputs, Project, Role
from slipway.settings.aws_names import FLEET_TAG, HOST_KEYS, ROLE_TAG
from slipway.storage.bucket import Bucket

CONNECT_SECONDS = 14
"""To the host's first word, through Systems Manager; a bit less than the whole attempt may take."""


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


def open_outputs(project: Project) -> Opened:
    """Outputs, discovery and ssh_config. BadInput: the stack was never provisioned; AwsInput: no rights."""
    session, fleet = session_of(project), names_of(project.stack).fleet
    # All these have names that the settings give, so none has to wait for another.
    with ThreadPoolExecutor(1, thread_name_prefix="open") as aside:
        looking = aside.submit(look, session, fleet)
        outputs = read_outputs(session, project)
        return with_hosts(project, outputs, looking.result())


def with_hosts(project: Project, outputs: Outputs, seen: Seen | None = None) -> Opened:
    """`outputs` with the hosts of this very moment; ssh_config and known_hosts are as they must be for them.

    `seen`: what AWS said a moment ago. Kept connections to hosts that were known before stay.
    """
    session, state_dir = session_of(project), project.state_dir.resolve()
    seen = seen or look(session, names_of(project.stack).fleet)
    found = discover(seen, cloud_of(outputs), builds_bucket(session, outputs))
    key = ssh_key(state_dir)
    config = write_ssh_config(
        found.hosts,
        state_dir,
        key,
        proxy=proxy_command(session.region, session.profile, key),
        connect_seconds=CONNECT_SECONDS,
    )
    return Opened(outputs.model_copy(update={"hosts": found.hosts, "ssh_config": str(config)}), found.absent)


def builds_bucket(session: AwsSession, outputs: Outputs) -> Bucket:
    """The builds bucket, as this session's account."""
    return open_bucket(outputs, {}, session.credentials)


def cloud_of(outputs: Outputs) -> Cloud:
    """What AWS knows the stack's parts by."""
    if outputs.cloud is None:
        raise BadInput(f"the outputs of stack {outputs.stack} are not of platform aws")
    return outputs.cloud


PULUMI_SECONDS = 60


def read_outputs(session: AwsSession, project: Project) -> Outputs:
    """The outputs, without hosts: those are found, not written down.

    BadInput: the stack was never provisioned, or by another version; or the account is not the stack's.
    """
    parameter = names_of(project.stack).outputs_parameter
    try:
        found = session.call("ssm", "get_parameter", Name=parameter)
    except AwsRefused as refused:
        if refused.code not in ("ParameterNotFound", "ParameterVersionNotFound"):
            raise
        check_account(session, project.stack)  # in another account it would not be there either
        return _from_pulumi(project, parameter)
    return _valid(found["Parameter"]["Value"], f"SSM parameter {parameter}", project)


def _from_pulumi(project: Project, parameter: str) -> Outputs:
    stack = project.stack.name
    said = "the pulumi CLI is not on PATH"
    if shutil.which("pulumi"):
        done = subprocess.run(
            ["pulumi", "stack", "output", "--json", "--non-interactive", "--stack", stack],
            cwd=project.root, capture_output=True, text=True, check=False, timeout=PULUMI_SECONDS,
        )  # fmt: skip
        if done.returncode == 0 and done.stdout.strip() not in ("", "{}"):
            return _valid(done.stdout, f"pulumi stack output --stack {stack}", project)
        said = (done.stderr.strip().splitlines() or ["pulumi has no outputs for it"])[-1]
    raise BadInput(
        f"stack {stack} is not up: there is no SSM parameter {parameter}, and {said}",
        remedy=f"slipway up --stack {stack}, with the pulumi CLI on PATH (docs/aws.md)",
    )


def _valid(text: str, where: str, project: Project) -> Outputs:
    stack = project.stack.name
    remedy = f"provision with this version: slipway up --stack {stack}"
    try:
        outputs = Outputs.model_validate(json.loads(text))
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"{where} is not what this version writes: {key}: {first['msg']}", remedy=remedy
        ) from None
    except ValueError:
        raise BadInput(f"{where} holds no JSON", remedy=remedy) from None
    if outputs.stack != stack or outputs.cloud is None:
        raise BadInput(f"{where} is of another stack or platform: {outputs.stack}", remedy=remedy)
    return outputs


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
        roles=(member.role,),
        address=member.address,
        ssh_host=member.instance,
        ssh_user=USER,
        host_key=key,
    )
