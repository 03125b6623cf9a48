"""Machine images of a stack's hosts: baked by the set-up that hosts run at boot, listed, and pruned.

An instance without a role runs the published kit and takes off what is only its own (templates/cloud-init/
bake.py.j2); it is imaged once it has switched itself off. A host that boots the image still runs the newest
kit, and finds every package there: an old image costs time, and is never a wrong host.
"""

import hashlib
import io
import json
import re
import secrets
import tarfile
import time
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from hosts.kit.archive import pointer_key, statement
from hosts.kit.user_data import bake_user_data
from slipway.platforms.aws.kits import ROLES, trusted
from slipway.platforms.aws.open import ALIVE, builds_bucket, read_outputs
from slipway.platforms.aws.session import AwsRefused, check_account, names_of, session_of
from slipway.platforms.interrupts import interrupts_deferred
from slipway.platforms.platform import Image
from slipway.platforms.state_folder import only_one
from slipway.progress import Progress
from slipway.settings import BadInput, NeedsPerson, Project, Role, SlipwayError
from slipway.settings.aws_fit import architecture_of_type, image_of
from slipway.settings.aws_names import FLEET_TAG, ROLE_TAG

BAKE_TAG, SETUP_TAG, DEBIAN_TAG = "slipway:bake", "slipway:setup", "slipway:debian"
BASE_TAG, PROCESSOR_TAG = "slipway:base", "slipway:architecture"
ROOT_DEVICE = "/dev/xvda"
"""Root device of Debian's images, as in infra/aws/launch_template.py."""
SECONDS = 1800
"""An instance that has not switched itself off by then is terminated; its URLs end with it."""
POLL_SECONDS = 5.0
RESULTS = "bakes"
"""Prefix in the builds bucket: where an instance says how its set-up went."""


class Images:
    """The images of one stack."""

    def __init__(self, project: Project) -> None:
        assert project.stack.aws is not None, "a stack on AWS has slipway:aws"
        self._project, self._aws = project, project.stack.aws
        self._session, self._names = session_of(project), names_of(project.stack)

    # list

    def found(self) -> list[Image]:
        """Every image of the stack, the newest first."""
        check_account(self._session, self._project.stack)
        own = [{"Name": f"tag:{FLEET_TAG}", "Values": [self._names.fleet]}]
        images = self._session.call("ec2", "describe_images", Owners=["self"], Filters=own)["Images"]
        named = {role: self._named(role) for role in ROLES}
        booted = [each.get("ImageId") for each in self._instances({FLEET_TAG: self._names.fleet})]
        made = [_image(each, named, booted) for each in images if SETUP_TAG in _tags(each)]
        return sorted(made, key=lambda image: image.made, reverse=True)

    def _named(self, role: str) -> str:
        """The image that new hosts of `role` boot if the settings say `baked`; empty: none yet."""
        try:
            found = self._session.call("ssm", "get_parameter", Name=self._parameter(role))
        except AwsRefused as refused:
            if refused.code != "ParameterNotFound":
                raise
            return ""
        return str(found["Parameter"]["Value"])

    def _parameter(self, role: str) -> str:
        return self._names.image_parameter(role, self._architecture(role))

    def _architecture(self, role: str) -> str:
        return architecture_of_type(self._group(role).type) or "amd64"

    def _group(self, role: str) -> Any:
        return self._aws.web if role == "web" else self._aws.worker

    def missing(self) -> list[str]:
        """Roles of which no image was baked for the hosts' processors."""
        return [role for role in ROLES if not self._named(role)]

    # prune

    def prune(self, keep: int, progress: Progress) -> list[str]:
        """Deregister all but the newest `keep` of each role, with their snapshots. Those in use stay."""
        gone: list[str] = []
        seen: dict[tuple[str, str], int] = {}
        for image in self.found():
            kind = (image.role, image.architecture)
            seen[kind] = seen.get(kind, 0) + 1
            if seen[kind] > keep and not image.in_use:
                self._delete(image.id)
                progress.line(f"deleted {image.id} ({image.role}, {image.made})")
                gone.append(image.id)
        self._end_left_instances(progress)
        return gone

    def delete_all(self, progress: Progress) -> None:
        """Delete every image of a stack that is gone, and the parameters that name them."""
        for image in self.found():
            self._delete(image.id)
            progress.line(f"deleted image {image.id}")
        self._session.call("ssm", "delete_parameters", Names=[self._parameter(role) for role in ROLES])

    def _delete(self, image: str) -> None:
        """Deregister `image` and delete its snapshots."""
        snapshots = self._snapshots(image)
        self._session.call("ec2", "deregister_image", ImageId=image)
        for snapshot in snapshots:
            self._session.call("ec2", "delete_snapshot", SnapshotId=snapshot)

    def _snapshots(self, image: str) -> list[str]:
        """By AWS's own description: an image that is not finished does not name its snapshots yet."""
        made = [{"Name": "description", "Values": [f"Created by CreateImage(*) for {image}*"]}]
        found = self._session.pages("ec2", "describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=made)
        return [str(each["SnapshotId"]) for each in found]

    # bake

    def bake(self, role: Role, progress: Progress, *, again: bool = False) -> Image:
        """The image of the published kit of `role`: the one that is there, or a new one.

        BadInput: nothing is published, or another bake is running. NeedsPerson: the set-up failed.
        """
        with only_one(self._project):
            return self._bake(role, progress, again=again)

    def _bake(self, role: Role, progress: Progress, *, again: bool) -> Image:
        with progress.phase("account"):
            check_account(self._session, self._project.stack)
            self._end_left_instances(progress)
            bucket = builds_bucket(self._session, read_outputs(self._session, self._project))
            kit = self._published(bucket, role)
            base = self._base(role)
        tags = {
            **self._names.tags, ROLE_TAG: role, SETUP_TAG: kit["digest"][:16], BASE_TAG: base,
            PROCESSOR_TAG: self._architecture(role),
        }  # fmt: skip
        for image in () if again else self.found():
            if (image.role, image.setup, image.base) == (role, kit["digest"][:16], base):
                progress.line(f"{image.id} is of this set-up already: nothing is baked")
                self._name(role, image.id)
                return image
        mark = f"{RESULTS}/{secrets.token_hex(16)}.json"
        with self._instance(role, base, self._user_data(kit, mark, bucket.name, role), progress) as instance:
            with progress.phase("set up", f"{instance} runs the kit"):
                self._wait_until_off(instance, progress)
                said = self._result(bucket, mark, instance)
            with progress.phase("image"):
                image = self._imaged(instance, {**tags, DEBIAN_TAG: said["debian"]}, progress)
        self._name(role, image)
        return next(each for each in self.found() if each.id == image)

    def _published(self, bucket: Any, role: Role) -> dict[str, Any]:
        """Key and digest of the kit that new hosts run today, and what it says of itself."""
        pointer = json.loads(bucket.get_bytes(pointer_key(role)) or b"{}")
        digest = str(pointer.get("sha256", ""))
        content = bucket.get_bytes(str(pointer["key"])) if pointer else None
        remedy = f"slipway up --stack {self._project.stack.name} publishes and signs it"
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            raise BadInput(f"no set-up kit of {role} hosts is published", remedy=remedy)
        signed = statement(self._names.fleet, role, digest, int(pointer.get("made", 0)))
        if not trusted(self._project, signed, pointer):
            raise BadInput(
                f"the set-up kit of {role} hosts is not signed by a signer of the stack", remedy=remedy
            )
        with tarfile.open(fileobj=io.BytesIO(content)) as packed:
            inside = packed.extractfile("kit.json")
            assert inside is not None, "a kit has kit.json"
            return {**json.loads(inside.read()), "key": pointer["key"], "sha256": digest}

    def _base(self, role: str) -> str:
        """The image that the instance starts from."""
        image = image_of(self._aws, self._names, role, baked=False)
        parameter = image.removeprefix("resolve:ssm:")
        if parameter == image:
            return image
        return str(self._session.call("ssm", "get_parameter", Name=parameter)["Parameter"]["Value"])

    def _user_data(self, kit: Mapping[str, Any], mark: str, bucket: str, role: str) -> str:
        def url(operation: str, key: str) -> str:
            return self._session.signed_url(operation, SECONDS, Bucket=bucket, Key=key)

        python = {
            target: {"url": url("get_object", each["key"]), "sha256": each["sha256"]}
            for target, each in kit["python"].items()
            if target.startswith("aarch64" if self._architecture(role) == "arm64" else "x86_64")
        }
        given = {"url": url("get_object", kit["key"]), "sha256": kit["sha256"]}
        return bake_user_data(self._names, role, given, python, url("put_object", mark))

    @contextmanager
    def _instance(self, role: str, base: str, user_data: str, progress: Progress) -> Generator[str]:
        """An instance where hosts of `role` live; terminated in the end, whatever ends the work."""
        subnet, groups, key = self._place(role)
        tags = [{"Key": BAKE_TAG, "Value": self._names.fleet}, {"Key": "Name", "Value": f"bake {role}"}]
        disk = {
            "VolumeType": "gp3", "VolumeSize": self._group(role).disk_gb, "Encrypted": True, "KmsKeyId": key,
            "DeleteOnTermination": True,
        }  # fmt: skip
        instance = ""
        try:
            # An interrupt waits for the answer: what is not named yet cannot be ended.
            with interrupts_deferred():
                made = self._session.call(
                    "ec2", "run_instances", MinCount=1, MaxCount=1, ImageId=base, UserData=user_data,
                    InstanceType=self._group(role).type, SubnetId=subnet, SecurityGroupIds=groups,
                    # No profile: it has no right on anything. What it may read and write are signed URLs.
                    InstanceInitiatedShutdownBehavior="stop",
                    MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
                    BlockDeviceMappings=[{"DeviceName": ROOT_DEVICE, "Ebs": disk}],
                    TagSpecifications=[
                        {"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")
                    ],
                )  # fmt: skip
                instance = str(made["Instances"][0]["InstanceId"])
            yield instance
        finally:
            if instance:
                with interrupts_deferred():
                    self._session.call("ec2", "terminate_instances", InstanceIds=[instance])
                    progress.line(f"terminated {instance}")

    def _place(self, role: str) -> tuple[str, list[str], str]:
        """Subnet, security groups and disk key of new hosts of `role`."""
        name = self._names.group(role)
        groups = self._session.call(
            "autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name]
        )
        found = self._session.call(
            "ec2", "describe_launch_template_versions", LaunchTemplateName=name, Versions=["$Default"]
        )
        data = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        subnet = groups["AutoScalingGroups"][0]["VPCZoneIdentifier"].split(",")[0]
        return (
            subnet,
            data["NetworkInterfaces"][0]["Groups"],
            data["BlockDeviceMappings"][0]["Ebs"]["KmsKeyId"],
        )

    def _wait_until_off(self, instance: str, progress: Progress) -> None:
        ends, before = time.monotonic() + SECONDS, ""
        while (state := self._state(instance)) != "stopped":
            if state != before:
                progress.host(instance, state)
            if state in {"terminated", "shutting-down"}:
                raise NeedsPerson(f"{instance} was terminated before its set-up had ended")
            if time.monotonic() > ends:
                raise NeedsPerson(
                    f"{instance} has not ended its set-up within {SECONDS // 60} minutes",
                    remedy="can hosts reach Debian's mirror and the builds bucket from their subnet?",
                )
            before = state
            time.sleep(POLL_SECONDS)

    def _state(self, instance: str) -> str:
        found = self._session.call("ec2", "describe_instances", InstanceIds=[instance])["Reservations"]
        return str(found[0]["Instances"][0]["State"]["Name"])

    def _result(self, bucket: Any, mark: str, instance: str) -> dict[str, Any]:
        content = bucket.get_bytes(mark)
        bucket.delete(mark)
        said: dict[str, Any] = json.loads(content or b"{}")
        if said.get("state") != "ready":
            raise NeedsPerson(
                f"{instance} could not be set up, so there is no image",
                details=said.get("lines", ["it switched itself off without a word"]),
                remedy="the lines above are its own; the same kit would fail on a new host",
            )
        return said

    def _imaged(self, instance: str, tags: Mapping[str, str], progress: Progress) -> str:
        """The image of `instance`, once it can be booted. It is undone if the work ends before."""
        name = f"{self._names.group(tags[ROLE_TAG])}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        own = [{"Key": key, "Value": value} for key, value in {**tags, "Name": name}.items()]
        image = ""
        try:
            with interrupts_deferred():
                made = self._session.call(
                    "ec2", "create_image", InstanceId=instance, Name=name,
                    Description=f"Hosts of {self._names.fleet}, Debian {tags[DEBIAN_TAG]}",
                    TagSpecifications=[{"ResourceType": "image", "Tags": own}],
                )  # fmt: skip
                image = str(made["ImageId"])
            progress.host(image, "being copied from the disk")
            ends = time.monotonic() + SECONDS
            while True:
                [found] = self._session.call("ec2", "describe_images", ImageIds=[image])["Images"]
                if found["State"] == "available":
                    break
                if found["State"] != "pending" or time.monotonic() > ends:
                    raise SlipwayError(f"{image} is {found['State']}: AWS did not make it")
                time.sleep(POLL_SECONDS)
            disks = [each["Ebs"] for each in found.get("BlockDeviceMappings", ()) if "Ebs" in each]
            if any(disk.get("Encrypted") is False for disk in disks):
                raise SlipwayError(f"{image} is not encrypted, so it is not kept")
            self._session.call("ec2", "create_tags", Resources=self._snapshots(image), Tags=own)
        except BaseException:
            if image:
                with interrupts_deferred():
                    self._delete(image)
                    progress.line(f"deleted {image}, which was not finished")
            raise
        progress.host(image, "can be booted")
        return image

    def _name(self, role: str, image: str) -> None:
        """Have new hosts of `role` boot `image`, if the settings say `baked`."""
        if self._named(role) == image:
            return
        self._session.call(
            "ssm", "put_parameter", Name=self._parameter(role), Value=image, Type="String", Overwrite=True,
            DataType="aws:ec2:image", Description="The newest image that was baked",
        )  # fmt: skip
        # AWS looks at the image first, and takes the value a little later.
        ends = time.monotonic() + 60
        while self._named(role) != image:
            if time.monotonic() > ends:
                raise SlipwayError(f"AWS did not take {image} as the value of {self._parameter(role)}")
            time.sleep(1)

    def _end_left_instances(self, progress: Progress) -> None:
        """Terminate what a killed command left. BadInput: another one is at work."""
        pending = any(image.state == "pending" for image in self.found())
        for each in self._instances({BAKE_TAG: self._names.fleet}):
            instance, age = each["InstanceId"], datetime.now(UTC) - each["LaunchTime"]
            if pending or (each["State"]["Name"] != "stopped" and age.total_seconds() < SECONDS):
                raise BadInput(
                    f"another bake of {self._names.fleet} is running: {instance},"
                    f" for {age.seconds // 60} minutes",
                    remedy="wait for it; if it was killed: aws ec2 terminate-instances --instance-ids"
                    f" {instance}",
                )
            self._session.call("ec2", "terminate_instances", InstanceIds=[instance])
            progress.line(f"terminated {instance}, which an earlier bake left")

    def _instances(self, tags: Mapping[str, str]) -> Iterable[dict[str, Any]]:
        states = [{"Name": "instance-state-name", "Values": [*ALIVE[:2], "stopping", "stopped"]}]
        filters = [*states, *({"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items())]
        for one in self._session.pages("ec2", "describe_instances", "Reservations", Filters=filters):
            yield from one["Instances"]


def _image(found: Mapping[str, Any], named: Mapping[str, str], booted: Collection[str | None]) -> Image:
    tags = _tags(found)
    return Image(
        id=found["ImageId"],
        role=tags.get(ROLE_TAG, ""),
        architecture=tags.get(PROCESSOR_TAG, ""),
        setup=tags[SETUP_TAG],
        debian=tags.get(DEBIAN_TAG, ""),
        base=tags.get(BASE_TAG, ""),
        made=re.sub(r"\.[0-9]+Z$", "Z", str(found.get("CreationDate", ""))),
        state=str(found.get("State", "")),
        named=found["ImageId"] in named.values(),
        hosts=sum(each == found["ImageId"] for each in booted),
    )


def _tags(found: Mapping[str, Any]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in found.get("Tags", ())}
