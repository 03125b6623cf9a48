"""The launch template: image, disk, network, metadata and user data of a new host of one role."""

import base64
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from hosts.kit.user_data import user_data
from slipway.settings.aws import Group
from slipway.settings.aws_names import ROLE_TAG, AwsNames

ROOT_DEVICE = "/dev/xvda"
"""Root device of Debian's images: settings for another device would leave it unencrypted."""


@dataclass(frozen=True)
class LaunchTemplateArgs:
    """Settings of one role's hosts."""

    names: AwsNames
    role: str
    group: Group
    image: str
    profile_arn: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]


def launch_template(name: str, args: LaunchTemplateArgs, opts: ResourceOptions) -> aws.ec2.LaunchTemplate:
    """A host that gives its credentials to IMDSv2 only, one hop (EC2.8, AutoScaling.3, AutoScaling.4).

    Encrypted disk (EC2.7), no public address (EC2.25, AutoScaling.5), no key pair; metrics every minute.
    """
    tags = host_tags(args.names, args.role)
    return aws.ec2.LaunchTemplate(
        f"{name}-template",
        name=args.names.group(args.role),
        description=f"{args.role} hosts of {args.names.fleet}",
        image_id=args.image,
        instance_type=args.group.type,
        user_data=encoded_user_data(args.names, args.role),
        update_default_version=True,
        ebs_optimized="true",
        # A host that shuts down does not return: the group starts another.
        instance_initiated_shutdown_behavior="terminate",
        iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(arn=args.profile_arn),
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled",
            http_tokens="required",
            http_put_response_hop_limit=1,
            instance_metadata_tags="enabled",
        ),
        monitoring=aws.ec2.LaunchTemplateMonitoringArgs(enabled=True),
        network_interfaces=[
            aws.ec2.LaunchTemplateNetworkInterfaceArgs(
                device_index=0,
                associate_public_ip_address="false",
                delete_on_termination="true",
                security_groups=[args.security_group_id],
            )
        ],
        block_device_mappings=[
            aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name=ROOT_DEVICE,
                ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                    volume_type="gp3",
                    volume_size=args.group.disk_gb,
                    encrypted="true",
                    kms_key_id=args.key_arn,
                    delete_on_termination="true",
                ),
            )
        ],
        tag_specifications=[
            aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=tags)
            for kind in ("instance", "volume", "network-interface")
        ],
        opts=opts,
    )


def host_tags(names: AwsNames, role: str) -> dict[str, str]:
    """Tags by which slipway finds a host; a group's instances do not get the provider's default tags."""
    return {**names.tags, ROLE_TAG: role, "Name": names.group(role)}


def encoded_user_data(names: AwsNames, role: str) -> str:
    """User data of hosts of `role`, in base64: the first script that a new host runs.

    It contains names only. What a host sets itself up with is in the builds bucket, so a new kit or release
    does not change the template and replaces no host.
    """
    text = user_data(names, role, names.region, names.bucket("builds"))
    return base64.b64encode(text.encode()).decode()
