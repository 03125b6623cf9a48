"""The hosts' groups and templates as AWS has them."""

from __future__ import annotations

import base64

import pytest

from tests.infra.emulator import found
from tests.infra.emulator.applied import Applied

ROLES = ("web", "worker")


@pytest.mark.parametrize("role", ROLES)
def test_credentials_are_only_for_who_asks_with_a_token(applied: Applied, role: str):
    options = found.launch_template(applied, role)["MetadataOptions"]
    assert options["HttpTokens"] == "required"
    assert options["HttpPutResponseHopLimit"] == 1


@pytest.mark.parametrize("role", ROLES)
def test_disks_are_encrypted_with_the_stacks_key(applied: Applied, role: str):
    for device in found.launch_template(applied, role)["BlockDeviceMappings"]:
        assert device["Ebs"]["Encrypted"] is True
        assert device["Ebs"]["KmsKeyId"] == found.key(applied)["Arn"]


@pytest.mark.parametrize("role", ROLES)
def test_a_host_has_its_roles_rights_and_no_key_pair(applied: Applied, role: str):
    template = found.launch_template(applied, role)
    assert "KeyName" not in template
    assert template["IamInstanceProfile"]["Arn"].endswith(f"/{applied.fleet}-{role}")
    (interface,) = template["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is False


@pytest.mark.parametrize("role", ROLES)
def test_a_new_host_fetches_its_set_up_and_brings_no_secret(applied: Applied, role: str):
    script = base64.b64decode(found.launch_template(applied, role)["UserData"]).decode()
    assert script.startswith("#!")
    assert found.bucket(applied, "builds") in script
    assert f"role {role}" in script
    for word in ("AKIA", "BEGIN RSA", "BEGIN OPENSSH", "BEGIN PRIVATE", "aws_secret_access_key ="):
        assert word not in script


@pytest.mark.parametrize("role", ROLES)
def test_slipway_finds_the_hosts_by_their_tags(applied: Applied, role: str):
    tags = {
        each["Key"]: each["Value"] for each in found.group(applied, role)["Tags"] if each["PropagateAtLaunch"]
    }
    for specification in found.launch_template(applied, role)["TagSpecifications"]:
        if specification["ResourceType"] == "instance":
            tags |= {each["Key"]: each["Value"] for each in specification["Tags"]}
    assert (tags["slipway:fleet"], tags["slipway:role"]) == (applied.fleet, role)


@pytest.mark.parametrize("role", ROLES)
def test_the_group_has_the_settings_sizes_and_all_zones(applied: Applied, role: str):
    group, wanted = found.group(applied, role), getattr(applied.aws, role)
    assert (group["MinSize"], group["MaxSize"]) == (wanted.min, wanted.max)
    assert len(group["VPCZoneIdentifier"].split(",")) == applied.aws.network.zones
    assert found.launch_template(applied, role)["InstanceType"] == wanted.type


def test_a_web_host_that_is_not_ready_is_replaced(applied: Applied):
    group = found.group(applied, "web")
    assert group["HealthCheckType"] == "ELB"
    assert group["HealthCheckGracePeriod"] > 0


def test_hosts_are_reached_without_an_open_port(applied: Applied):
    allowed = {
        action
        for document in found.policies(applied, "web")
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }
    assert {"ssmmessages:CreateControlChannel", "ssmmessages:OpenDataChannel"} <= allowed
