"""Who did what in the account: a trail of every call to AWS's API."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.bucket import BucketArgs, SealedBucket
from infra.aws.policy_document import as_json
from infra.aws.resource_policies import trail_bucket_policy
from slipway.settings.aws_names import AwsNames

KEPT_DAYS = 365
"""How long the trail is kept (CIS AWS Foundations asks for a year)."""


@dataclass(frozen=True)
class AuditArgs:
    """Whose trail."""

    names: AwsNames
    key_arn: pulumi.Input[str]
    old_version_days: int = 30
    protect: bool = True


class Audit(pulumi.ComponentResource):
    """A trail over all regions (CloudTrail.1), encrypted (CloudTrail.2), with file validation (CloudTrail.4).

    It lies in a bucket of its own that only CloudTrail writes (CloudTrail.6). One in an account is enough.
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
