"""One private bucket with everything that a bucket of a stack has."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True)
class BucketArgs:
    """One bucket."""

    bucket: str
    """Its physical name."""
    policy: pulumi.Input[str]
    """JSON of its bucket policy."""
    key_arn: pulumi.Input[str] | None
    """KMS key of its objects; None: S3's own."""
    old_version_days: int
    unfinished_days: int
    expire_days: int | None = None
    """After which objects are deleted; None: never."""
    protect: bool = True


class SealedBucket(pulumi.ComponentResource):
    """A bucket that nobody can make public, by policy or by ACL (S3.1, S3.2, S3.3, S3.8, S3.12).

    Only TLS (S3.5, in the given policy); encrypted at rest (S3.17); versioned (S3.14), with old versions and
    unfinished uploads thrown away in time (S3.13). Never emptied by Pulumi.
    """

    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:SealedBucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        made = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=args.bucket,
            force_destroy=False,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        private = aws.s3.BucketPublicAccessBlock(
            f"{name}-private",
            bucket=made.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketOwnershipControls(
            f"{name}-owner",
            bucket=made.id,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=child,
        )
        _encrypt(name, made, args, child)
        versions = aws.s3.BucketVersioning(
            f"{name}-versions",
            bucket=made.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=child,
        )
        _throw_away(name, made, args, pulumi.ResourceOptions(parent=self, depends_on=[versions]))
        # After the block: S3 refuses to change both at once.
        aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=made.id,
            policy=args.policy,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[private]),
        )
        self.bucket, self.arn = made.bucket, made.arn
        self.register_outputs({"bucket": self.bucket, "arn": self.arn})


def _encrypt(name: str, bucket: aws.s3.Bucket, args: BucketArgs, opts: pulumi.ResourceOptions) -> None:
    by_default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
        sse_algorithm="aws:kms" if args.key_arn is not None else "AES256",
        kms_master_key_id=args.key_arn,
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption",
        bucket=bucket.id,
        rules=[
            aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=by_default,
                # One data key for many objects: fewer calls to KMS, which costs by the call.
                bucket_key_enabled=args.key_arn is not None,
            )
        ],
        opts=opts,
    )


def _throw_away(name: str, bucket: aws.s3.Bucket, args: BucketArgs, opts: pulumi.ResourceOptions) -> None:
    every = aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")
    rules = [
        aws.s3.BucketLifecycleConfigurationRuleArgs(
            id="unfinished-uploads",
            status="Enabled",
            filter=every,
            abort_incomplete_multipart_upload=(
                aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                    days_after_initiation=args.unfinished_days
                )
            ),
        ),
        aws.s3.BucketLifecycleConfigurationRuleArgs(
            id="old-versions",
            status="Enabled",
            filter=every,
            noncurrent_version_expiration=(
                aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                    noncurrent_days=args.old_version_days
                )
            ),
        ),
    ]
    if args.expire_days is not None:
        rules.append(
            aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="expired",
                status="Enabled",
                filter=every,
                expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=args.expire_days),
            )
        )
    aws.s3.BucketLifecycleConfiguration(f"{name}-lifecycle", bucket=bucket.id, rules=rules, opts=opts)
