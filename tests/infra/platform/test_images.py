"""`slipway image` against moto's EC2: what is started, tagged, named and ended."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import signal
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from hosts.agent.signature import KIT
from hosts.kit.archive import kit_digest, kit_key, pointer_key, statement
from slipway.platforms.aws import images as module
from slipway.platforms.aws.images import Images
from slipway.platforms.aws.kits import fleet_plan
from slipway.platforms.aws.session import AwsSession
from slipway.platforms.aws.up import refuse_unbaked, say_older_images
from slipway.platforms.platform import platform_of
from slipway.secrets.signing import Signing
from slipway.settings import BadInput, NeedsPerson, Project
from slipway.settings.aws import Aws
from tests.infra.platform.test_command_line import SETTINGS, TOML
from tests.infra.platform.test_up import Heard
from tests.infra.platform.world import ACCOUNT, REGION, World

SETUP = "5e7" * 16
BASE_NAME = "/images/debian-13/amd64"


@pytest.fixture
def stack(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Provisioned, with a published kit, a launch template and a group for each role, and a base image."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0.05)
    world.provision()
    ec2 = world.client("ec2")
    [base, *_] = ec2.describe_images(Owners=["amazon"])["Images"]
    world.client("ssm").put_parameter(Name=BASE_NAME, Value=base["ImageId"], Type="String")
    aws = Aws.model_validate({"account": ACCOUNT, "region": REGION, "image": f"resolve:ssm:{BASE_NAME}"})
    world.project = replace(world.project, stack=world.project.stack.model_copy(update={"aws": aws}))
    [vpc, *_] = ec2.describe_vpcs()["Vpcs"]
    [subnet, *_] = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    group = ec2.create_security_group(GroupName="hosts", Description="hosts", VpcId=vpc["VpcId"])["GroupId"]
    key = world.client("kms").create_key()["KeyMetadata"]["Arn"]
    for role in ("web", "worker"):
        name, ebs = world.names.group(role), {"Encrypted": True, "KmsKeyId": key}
        ec2.create_launch_template(
            LaunchTemplateName=name,
            LaunchTemplateData={
                "ImageId": base["ImageId"], "InstanceType": "t3.medium",
                "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": [group]}],
                "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": ebs}],
            },
        )  # fmt: skip
        world.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name, MinSize=0, MaxSize=2, DesiredCapacity=0,
            LaunchTemplate={"LaunchTemplateName": name}, VPCZoneIdentifier=subnet["SubnetId"],
        )  # fmt: skip
        publish(world, role)
    return world


def publish(world: World, role: str, setup: str = SETUP, *, signed: bool = True) -> None:
    """The kit that new hosts would run, as `slipway up` leaves it."""
    python = {"x86_64-3.13": {"key": "setup/python.tar.gz", "sha256": "ab" * 32}}
    content, packed = json.dumps({"digest": setup, "python": python}).encode(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("kit.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    key = kit_key(role, digest)  # pyright: ignore[reportArgumentType]
    who = statement(world.names.fleet, role, digest, 1 if signed else 2)  # pyright: ignore[reportArgumentType]
    signer, signature = Signing(world.project).sign(who, KIT)
    pointer = {"key": key, "sha256": digest, "made": 1, "signer": signer, "signature": signature}
    s3, bucket = world.client("s3"), world.names.bucket("builds")
    s3.put_object(Bucket=bucket, Key=key, Body=packed.getvalue())
    s3.put_object(Bucket=bucket, Key=pointer_key(role), Body=json.dumps(pointer).encode())  # pyright: ignore[reportArgumentType]


def running(world: World) -> list[dict[str, Any]]:
    """Instances of a bake that exist."""
    filters = [
        {"Name": "tag:slipway:bake", "Values": [world.names.fleet]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopped"]},
    ]
    found = world.client("ec2").describe_instances(Filters=filters)["Reservations"]
    return [each for one in found for each in one["Instances"]]


@contextmanager
def machines(world: World, act: Callable[[dict[str, Any], str], None]) -> Generator[None]:
    """Whatever instance a bake starts: `act` with it and its user data, and then it switches itself off."""
    ended, ec2 = Event(), world.client("ec2")

    def watch() -> None:
        seen: set[str] = set()
        while not ended.is_set():
            for each in running(world):
                if each["InstanceId"] not in seen and each["State"]["Name"] == "running":
                    seen.add(each["InstanceId"])
                    found = ec2.describe_instance_attribute(
                        InstanceId=each["InstanceId"], Attribute="userData"
                    )
                    act(each, base64.b64decode(found["UserData"]["Value"]).decode())
                    ec2.stop_instances(InstanceIds=[each["InstanceId"]])
            time.sleep(0.05)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def says(**result: object) -> Callable[[dict[str, Any], str], None]:
    """The machine writes its result to the URL in its user data."""

    def act(_: dict[str, Any], user_data: str) -> None:
        url = json.loads(re.search(r'^RESULT = (".*")$', user_data, re.MULTILINE)[1])  # pyright: ignore
        request = urllib.request.Request(url, data=json.dumps(result).encode(), method="PUT")
        request.add_header("content-type", "application/json")
        urllib.request.urlopen(request).close()

    return act


def silent(_: dict[str, Any], _data: str) -> None:
    """It says nothing."""


READY = says(state="ready", debian="13.2", lines=[])


def test_an_image_is_made_tagged_named_and_its_instance_ended(stack: World) -> None:
    started: list[tuple[dict[str, Any], str]] = []

    def act(instance: dict[str, Any], user_data: str) -> None:
        started.append((instance, user_data))
        READY(instance, user_data)

    heard = Heard()
    with machines(stack, act):
        made = Images(stack.project).bake("web", heard)
    assert (made.role, made.debian, made.setup, made.named, made.state) == (
        "web", "13.2", SETUP[:16], True, "available",
    )  # fmt: skip
    [(instance, user_data)] = started
    assert "IamInstanceProfile" not in instance, "it has no rights"
    assert instance["SecurityGroups"][0]["GroupName"] == "hosts"
    assert "X-Amz-Signature=" in user_data
    assert running(stack) == []
    assert f"terminated {instance['InstanceId']}" in heard.told
    name = stack.names.image_parameter("web", "amd64")
    assert stack.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == made.id
    left = stack.client("s3").list_objects_v2(Bucket=stack.names.bucket("builds"), Prefix="bakes/")
    assert left["KeyCount"] == 0
    assert Images(stack.project).missing() == ["worker"]


def test_a_set_up_that_has_an_image_is_not_baked_again_unless_asked(stack: World) -> None:
    with machines(stack, READY):
        first = Images(stack.project).bake("web", Heard())
        again = Images(stack.project).bake("web", heard := Heard())
        assert again == first
        assert heard.phases == ["account"]
        other = Images(stack.project).bake("web", Heard(), again=True)
        publish(stack, "web", "0ff" * 16)
        changed = Images(stack.project).bake("web", Heard())
    assert len({first.id, other.id, changed.id}) == 3
    assert [each.named for each in Images(stack.project).found() if each.id == changed.id] == [True]


def test_a_set_up_that_fails_makes_no_image_and_shows_the_machine_s_words(stack: World) -> None:
    with machines(stack, says(state="failed", lines=["E: no mirror"])), pytest.raises(NeedsPerson) as failed:
        Images(stack.project).bake("web", Heard())
    assert list(failed.value.details) == ["E: no mirror"]
    assert (Images(stack.project).found(), running(stack)) == ([], [])


def test_a_machine_that_says_nothing_makes_no_image(stack: World) -> None:
    with machines(stack, silent), pytest.raises(NeedsPerson, match="could not be set up"):
        Images(stack.project).bake("web", Heard())
    assert (Images(stack.project).found(), running(stack)) == ([], [])


def test_an_interrupt_ends_the_instance_and_says_so(stack: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Images, instance: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Images, "_state", interrupt)
    heard = Heard()
    with pytest.raises(KeyboardInterrupt):
        Images(stack.project).bake("web", heard)
    assert running(stack) == []
    assert any(line.startswith("terminated i-") for line in heard.told)


def test_an_interrupt_while_aws_starts_the_instance_ends_it(
    stack: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_in(monkeypatch, "run_instances")
    heard = Heard()
    with pytest.raises(KeyboardInterrupt):
        Images(stack.project).bake("web", heard)
    assert running(stack) == []
    assert any(line.startswith("terminated i-") for line in heard.told)


def test_an_interrupt_while_aws_begins_the_image_deletes_it(
    stack: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_in(monkeypatch, "create_image")
    heard = Heard()
    with machines(stack, READY), pytest.raises(KeyboardInterrupt):
        Images(stack.project).bake("web", heard)
    assert (Images(stack.project).found(), running(stack)) == ([], [])
    assert any("which was not finished" in line for line in heard.told)


def interrupt_in(monkeypatch: pytest.MonkeyPatch, making: str) -> None:
    """Send Ctrl-C when AWS has done `making`, before the caller has the answer."""
    call = AwsSession.call

    def interrupted(self: AwsSession, service: str, operation: str, /, **given: Any) -> dict[str, Any]:
        answer = call(self, service, operation, **given)
        if operation == making:
            signal.raise_signal(signal.SIGINT)
        return answer

    monkeypatch.setattr(AwsSession, "call", interrupted)


def command(stack: World, *arguments: str) -> list[str]:
    """A person's command, in the project's folder."""
    settings = SETTINGS.format(account=ACCOUNT) + f"    image: resolve:ssm:{BASE_NAME}\n"
    for name, text in (
        ("Pulumi.yaml", "name: board\nruntime: python\n"), ("Pulumi.prod.yaml", settings),
        ("slipway.toml", TOML),
    ):  # fmt: skip
        (stack.project.root / name).write_text(text)
    return [sys.executable, "-m", "slipway", "image", *arguments, "--stack", "prod"]


def test_ctrl_c_ends_the_instance_of_the_command(stack: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    argv = command(stack, "bake", "--role", "web")
    bake = subprocess.Popen(argv, cwd=stack.project.root, stderr=subprocess.PIPE, text=True)
    while not (started := running(stack)):
        assert bake.poll() is None, bake.communicate()
        time.sleep(0.1)
    bake.send_signal(signal.SIGINT)
    said = bake.communicate()[1]
    assert bake.returncode == 130, said
    assert f"terminated {started[0]['InstanceId']}" in said
    assert "error: interrupted: what was being made was ended" in said
    assert running(stack) == []


def test_the_list_is_a_table_or_json(stack: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    with machines(stack, READY):
        made = Images(stack.project).bake("web", Heard())
    for arguments, wanted in (((), f"{made.id}  web   amd64      13.2"), (("--json",), f'"id": "{made.id}"')):
        argv = command(stack, "list", *arguments)
        done = subprocess.run(argv, cwd=stack.project.root, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert wanted in done.stdout


def test_an_interrupt_while_the_image_is_copied_deletes_it(
    stack: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = AwsSession.call
    made: list[str] = []

    def interrupted(self: Any, service: str, operation: str, /, **given: Any) -> dict[str, Any]:
        if operation == "describe_images" and made == ["image"] and "ImageIds" in given:
            made.append("interrupted")
            raise KeyboardInterrupt
        if operation == "create_image":
            made.append("image")
        return call(self, service, operation, **given)

    monkeypatch.setattr(AwsSession, "call", interrupted)
    heard = Heard()
    with machines(stack, READY), pytest.raises(KeyboardInterrupt):
        Images(stack.project).bake("web", heard)
    assert (Images(stack.project).found(), running(stack)) == ([], [])
    assert any("which was not finished" in line for line in heard.told)


def test_what_a_killed_bake_left_is_ended_by_the_next_one(stack: World) -> None:
    ec2 = stack.client("ec2")
    tags = [{"Key": "slipway:bake", "Value": stack.names.fleet}]
    spec = [{"ResourceType": "instance", "Tags": tags}]
    base = stack.client("ssm").get_parameter(Name=BASE_NAME)["Parameter"]["Value"]
    [left] = ec2.run_instances(ImageId=base, MinCount=1, MaxCount=1, TagSpecifications=spec)["Instances"]
    with pytest.raises(BadInput, match=f"another bake of board-prod is running: {left['InstanceId']}"):
        Images(stack.project).bake("web", Heard())
    ec2.stop_instances(InstanceIds=[left["InstanceId"]])
    assert Images(stack.project).prune(2, heard := Heard()) == []
    assert heard.told == [f"terminated {left['InstanceId']}, which an earlier bake left"]


def test_old_images_go_and_those_in_use_stay(stack: World) -> None:
    with machines(stack, READY):
        for _ in range(4):
            Images(stack.project).bake("web", Heard(), again=True)
    # As the product orders them: the emulator's clock has whole seconds, and a bake takes less here.
    _newest, old, named, booted = (image.id for image in Images(stack.project).found())
    tags = [{"Key": "slipway:fleet", "Value": stack.names.fleet}]
    spec = [{"ResourceType": "instance", "Tags": tags}]
    stack.client("ec2").run_instances(ImageId=booted, MinCount=1, MaxCount=1, TagSpecifications=spec)
    stack.client("ssm").put_parameter(
        Name=stack.names.image_parameter("web", "amd64"), Value=named, Type="String", Overwrite=True
    )
    before = len(stack.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"])
    assert Images(stack.project).prune(1, Heard()) == [old]
    assert len(stack.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]) == before - 1


def test_a_stack_that_is_gone_leaves_no_image(stack: World) -> None:
    before = len(stack.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"])
    with machines(stack, READY):
        Images(stack.project).bake("worker", Heard())
    Images(stack.project).delete_all(heard := Heard())
    assert len(heard.told) == 1
    assert Images(stack.project).found() == []
    assert Images(stack.project).missing() == ["web", "worker"]
    assert len(stack.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]) == before


def test_hosts_of_baked_images_want_one_first(stack: World) -> None:
    aws = Aws.model_validate({"account": ACCOUNT, "region": REGION, "image": "baked"})
    project = replace(stack.project, stack=stack.project.stack.model_copy(update={"aws": aws}))
    with pytest.raises(BadInput, match="no image is baked for web and worker hosts"):
        refuse_unbaked(project)
    with machines(stack, READY):
        for role in ("web", "worker"):
            Images(stack.project).bake(role, Heard())
    refuse_unbaked(project)


def test_an_image_of_an_older_set_up_is_named(stack: World, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("no certificate")
    outputs = stack.outputs()
    plan = fleet_plan(stack.project, outputs, {outputs.load_header_secret: "k" * 40}, ca)
    publish(stack, "web", kit_digest(plan, "web"))
    with machines(stack, READY):
        for role in ("web", "worker"):
            Images(stack.project).bake(role, Heard())
    aws = Aws.model_validate({"account": ACCOUNT, "region": REGION, "image": "baked"})
    baked = replace(stack.project, stack=stack.project.stack.model_copy(update={"aws": aws}))
    say_older_images(baked, plan, heard := Heard())
    assert heard.told == ["worker hosts boot an older image: slipway image bake --stack prod"]


def test_other_platforms_have_no_images(project: Project) -> None:
    local = replace(project, stack=project.stack.model_copy(update={"platform": "local", "aws": None}))
    with pytest.raises(BadInput, match="not made from machine images"):
        platform_of(local).images()


def test_nothing_is_baked_of_a_kit_that_is_not_there_or_not_signed(stack: World) -> None:
    publish(stack, "web", signed=False)
    with pytest.raises(BadInput, match="is not signed by a signer of the stack"):
        Images(stack.project).bake("web", Heard())
    s3, bucket = stack.client("s3"), stack.names.bucket("builds")
    s3.delete_object(Bucket=bucket, Key="setup/web.json")
    with pytest.raises(BadInput, match="no set-up kit of web hosts is published"):
        Images(stack.project).bake("web", Heard())
    assert running(stack) == []
