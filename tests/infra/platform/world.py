"""A stack in moto's server: groups with instances, published keys, secrets, outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3

from slipway.platforms.aws.session import names_of
from slipway.settings import Outputs, Project
from slipway.settings.aws_names import FLEET_TAG, ROLE_TAG, AwsNames

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE_IDS = {"web": "AROAWEBWEBWEBWEBWEB00", "worker": "AROAWORKWORKWORKWORK0"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEdkuE7RjrhDAfLsmIoMm4GDSS6qfNZfmAV3rrJRN3bM"


@cache
def _client(service: str, url: str) -> Any:
    make: Callable[..., Any] = boto3.client  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return make(service, region_name=REGION, endpoint_url=url)


@dataclass
class World:
    """What `pulumi up` and hosts that started would have left behind."""

    url: str
    project: Project

    @property
    def names(self) -> AwsNames:
        return names_of(self.project.stack)

    def client(self, service: str) -> Any:
        return _client(service, self.url)

    def provision(self, **cloud: object) -> Outputs:
        """Buckets, secrets' shells, and the outputs in their parameter; no host yet."""
        self.client("s3").create_bucket(Bucket=self.names.bucket("builds"))
        outputs = self.outputs(**cloud)
        for role in ROLE_IDS:
            self.client("secretsmanager").create_secret(Name=self.names.boot_secret(role))
        self.client("secretsmanager").create_secret(Name=self.names.app_secret)
        self.client("ssm").put_parameter(
            Name=self.names.outputs_parameter, Type="String", Value=outputs.model_dump_json()
        )
        return outputs

    def outputs(self, **cloud: object) -> Outputs:
        return Outputs.model_validate(
            {
                "stack": self.project.stack.name,
                "platform": "aws",
                "url": "https://board.example",
                "builds": {"bucket": self.names.bucket("builds"), "endpoint": self.url},
                "secrets": {"kind": "aws", "location": self.names.app_secret},
                "cloud": {
                    "region": REGION,
                    "account": ACCOUNT,
                    "groups": {role: self.names.group(role) for role in ROLE_IDS},
                    "boot_secrets": {role: self.names.boot_secret(role) for role in ROLE_IDS},
                    "key": "arn:aws:kms:us-east-1:123456789012:key/k",
                    "target_group": "",
                    "roles": ROLE_IDS,
                    **cloud,
                },
            }
        )

    def launch(self, role: str, count: int, *, fleet: str = "", publish: bool = True) -> list[str]:
        """An Auto Scaling group with `count` instances; their ids, oldest first."""
        fleet = fleet or self.names.fleet
        group = f"{fleet}-{role}"
        template = self.client("ec2").create_launch_template(
            LaunchTemplateName=group,
            LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "t3.small"},
        )["LaunchTemplate"]
        tags = {FLEET_TAG: fleet, ROLE_TAG: role}
        self.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=group,
            LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"]},
            MinSize=0,
            MaxSize=9,
            DesiredCapacity=count,
            AvailabilityZones=[f"{REGION}a"],
            Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()],
        )
        found = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
        made = [each["InstanceId"] for each in found["AutoScalingGroups"][0]["Instances"]]
        told = self.client("ec2").describe_instances(InstanceIds=made)["Reservations"]
        instances = [each for reservation in told for each in reservation["Instances"]]
        ids = [
            each["InstanceId"]
            for each in sorted(instances, key=lambda each: (each["LaunchTime"], each["InstanceId"]))
        ]
        for instance in ids if publish else []:
            self.publish(role, instance)
        return ids

    def publish(self, role: str, instance: str, key: str = KEY) -> None:
        """As the instance does, where only it may."""
        self.client("s3").put_object(
            Bucket=self.names.bucket("builds"),
            Key=f"hosts/{ROLE_IDS[role]}:{instance}",
            Body=f"{key}\n".encode(),
        )

    def secret(self, name: str) -> Any:
        """The value of a secret, read by AWS' own client."""
        # Without the stage, moto answers the newest version and not, as AWS does, the current one.
        found = self.client("secretsmanager").get_secret_value(SecretId=name, VersionStage="AWSCURRENT")
        return json.loads(found["SecretString"])
