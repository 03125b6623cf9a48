"""What the emulator has of a stack, asked of the AWS API by the names that slipway looks it up by."""

from __future__ import annotations

import json
from typing import Any

from tests.infra.emulator.applied import Applied


def load_balancer(applied: Applied) -> dict[str, Any]:
    """The one of the stack."""
    (found,) = applied.ask("elbv2").describe_load_balancers(Names=[applied.fleet])["LoadBalancers"]
    return found


def load_balancer_attributes(applied: Applied) -> dict[str, str]:
    """By key."""
    arn = load_balancer(applied)["LoadBalancerArn"]
    said = applied.ask("elbv2").describe_load_balancer_attributes(LoadBalancerArn=arn)
    return {each["Key"]: each["Value"] for each in said["Attributes"]}


def listeners(applied: Applied) -> dict[int, dict[str, Any]]:
    """By port."""
    arn = load_balancer(applied)["LoadBalancerArn"]
    found = applied.ask("elbv2").describe_listeners(LoadBalancerArn=arn)["Listeners"]
    return {each["Port"]: each for each in found}


def target_group(applied: Applied) -> dict[str, Any]:
    """Of the web hosts."""
    (found,) = applied.ask("elbv2").describe_target_groups(Names=[f"{applied.fleet}-web"])["TargetGroups"]
    return found


def target_group_attributes(applied: Applied) -> dict[str, str]:
    """By key."""
    arn = target_group(applied)["TargetGroupArn"]
    said = applied.ask("elbv2").describe_target_group_attributes(TargetGroupArn=arn)
    return {each["Key"]: each["Value"] for each in said["Attributes"]}


def rules(applied: Applied, group: str) -> list[dict[str, Any]]:
    """Of a security group, in and out."""
    filters = [{"Name": "group-id", "Values": [group]}]
    return applied.ask("ec2").describe_security_group_rules(Filters=filters)["SecurityGroupRules"]


def security_groups(applied: Applied) -> list[dict[str, Any]]:
    """Those of the stack's network."""
    filters = [{"Name": "vpc-id", "Values": [network(applied)["VpcId"]]}]
    return applied.ask("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]


def network(applied: Applied) -> dict[str, Any]:
    """The stack's VPC."""
    filters = [{"Name": "tag:slipway:fleet", "Values": [applied.fleet]}]
    (found,) = applied.ask("ec2").describe_vpcs(Filters=filters)["Vpcs"]
    return found


def group(applied: Applied, role: str) -> dict[str, Any]:
    """The Auto Scaling group of `role`."""
    asked = applied.ask("autoscaling")
    (found,) = asked.describe_auto_scaling_groups(AutoScalingGroupNames=[f"{applied.fleet}-{role}"])[
        "AutoScalingGroups"
    ]
    return found


def launch_template(applied: Applied, role: str) -> dict[str, Any]:
    """What new hosts of `role` are made from: the data of the version that their group names."""
    named = group(applied, role)["LaunchTemplate"]
    (found,) = applied.ask("ec2").describe_launch_template_versions(
        LaunchTemplateId=named["LaunchTemplateId"], Versions=[named["Version"]]
    )["LaunchTemplateVersions"]
    return found["LaunchTemplateData"]


def buckets(applied: Applied) -> list[str]:
    """Names of all the stack's buckets."""
    return sorted(each["Name"] for each in applied.ask("s3").list_buckets()["Buckets"])


def bucket(applied: Applied, what: str) -> str:
    """Name of one: `builds`, `uploads`, `logs`, `audit`."""
    return f"{applied.fleet}-{what}-123456789012"


def database(applied: Applied) -> dict[str, Any]:
    """The stack's."""
    said = applied.ask("rds").describe_db_instances(DBInstanceIdentifier=applied.fleet)
    return said["DBInstances"][0]


def key(applied: Applied) -> dict[str, Any]:
    """The stack's KMS key."""
    return applied.ask("kms").describe_key(KeyId=f"alias/slipway/board/{applied.stack}")["KeyMetadata"]


def policies(applied: Applied, role: str) -> list[dict[str, Any]]:
    """Inline policies of the stack's `role`, as documents."""
    iam, name = applied.ask("iam"), f"{applied.fleet}-{role}"
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return [iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"] for each in inline]


def bucket_policy(applied: Applied, name: str) -> dict[str, Any]:
    """As a document."""
    return json.loads(applied.ask("s3").get_bucket_policy(Bucket=name)["Policy"])
