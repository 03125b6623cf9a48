"""Audit logs: CloudTrail for calls to AWS's API, and the VPC's flow log for connections."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.buckets import BucketArgs, SealedBucket
from infra.aws.iam.document import as_json
from infra.aws.iam.resource_policies import trail_bucket_policy
from infra.aws.limits import retention_days
from slipway.settings.aws_names import AwsNames

KEPT_DAYS = 365
"""Retention of the trail (CIS AWS Foundations requires a year)."""


@dataclass(frozen=True)
class AuditArgs:
    """The stack that has the trail, and its key."""

    names: AwsNames
    key_arn: pulumi.Input[str]
    old_version_days: int = 30
    protect: bool = True


class Audit(pulumi.ComponentResource):
    """A trail over all regions (CloudTrail.1), encrypted (CloudTrail.2), with file validation (CloudTrail.4).

    It has its own bucket, which only CloudTrail writes to (CloudTrail.6). One trail for an account is enough.
    """

    trail_arn: pulumi.Output[str]
    bucket: pulumi.Output[str]

    def __init__(self, name: str, args: AuditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Audit", name, None, opts)
        bucket = SealedBucket(
            f"{name}-trail",
            BucketArgs(
                bucket=args.names.bucket("audit"),
                policy=as_json(trail_bucket_policy(args.names)),
                key_arn=args.key_arn,
                old_version_days=args.old_version_days,
                unfinished_days=1,
                expire_days=KEPT_DAYS,
                protect=args.protect,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        trail = aws.cloudtrail.Trail(
            f"{name}-trail",
            name=args.names.fleet,
            s3_bucket_name=bucket.bucket,
            kms_key_id=args.key_arn,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            enable_logging=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[bucket]),
        )
        self.trail_arn, self.bucket = trail.arn, bucket.bucket
        self.register_outputs({"trailArn": self.trail_arn, "bucket": self.bucket})


@dataclass(frozen=True)
class FlowLogArgs:
    """The VPC, and the log's retention."""

    names: AwsNames
    vpc_id: pulumi.Input[str]
    days: int
    key_arn: pulumi.Input[str]


class FlowLog(pulumi.ComponentResource):
    """A VPC's flow log in CloudWatch (EC2.6), encrypted with the stack's key, and the role that writes it."""

    group_name: Output[str]

    def __init__(self, name: str, args: FlowLogArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:FlowLog", name, None, opts)
        child = ResourceOptions(parent=self)
        group = aws.cloudwatch.LogGroup(
            f"{name}-group",
            name=args.names.log_group("network"),
            retention_in_days=retention_days(args.days),
            kms_key_id=args.key_arn,
            opts=child,
        )
        role = aws.iam.Role(
            f"{name}-role",
            name=f"{args.names.fleet}-flow-log",
            description="Writes the network's flow log",
            assume_role_policy=json.dumps(_trust(args.names.account)),
            opts=child,
        )
        aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.id,
            policy=group.arn.apply(lambda arn: json.dumps(_may_write(arn))),
            opts=child,
        )
        aws.ec2.FlowLog(
            f"{name}-log",
            vpc_id=args.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=600,
            opts=child,
        )
        self.group_name = group.name
        self.register_outputs({"group_name": self.group_name})


def _trust(account: str) -> dict[str, object]:
    """Flow logs of this account only: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            }
        ],
    }


def _may_write(group_arn: str) -> dict[str, object]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                "Resource": [group_arn, f"{group_arn}:*"],
            }
        ],
    }
