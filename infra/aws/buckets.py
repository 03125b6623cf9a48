"""The stack's S3 buckets: builds, uploads, and the load balancer's logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.iam.document import as_json
from infra.aws.iam.resource_policies import bucket_policy
from slipway.settings import BadInput
from slipway.settings.aws import Buckets
from slipway.settings.aws_names import AwsNames

_BROWSER_SECONDS = 3600


@dataclass(frozen=True)
class StorageArgs:
    """The buckets' settings, key and origins."""

    names: AwsNames
    settings: Buckets
    key_arn: pulumi.Input[str]
    """ARN of the stack's KMS key."""
    origins: Sequence[str]
    """Origins whose pages may upload: `https://board.example.com`."""
    origins_below: Sequence[str]
    """The same for previews, with a wildcard for their names: `https://*.previews.example.com`."""
    log_days: int
    """Retention of the load balancer's logs."""
    uploads: bool = True
    """False: the stack has no uploads, or keeps them elsewhere."""
    protect: bool = True


class Storage(pulumi.ComponentResource):
    """Three private buckets (two without uploads), encrypted, versioned, TLS only.

    builds: releases, ledger, hosts' public keys; a host may read it and write its own key.
    uploads: with CORS for the site's own origins (I6).
    logs: the load balancer's access and connection logs (ELB.5), deleted after `log_days`. Encrypted with
    S3's own key: the load balancer cannot use another.
    """

    builds_bucket: pulumi.Output[str]
    builds_arn: pulumi.Output[str]
    uploads_bucket: pulumi.Output[str] | None
    uploads_arn: pulumi.Output[str] | None
    logs_bucket: pulumi.Output[str]
    logs_ready: pulumi.Resource
    """Resources that deliver logs depend on this: AWS tests the bucket policy when they are made."""

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Storage", name, None, opts)
        origins = [*explicit_origins(args.origins), *args.origins_below]
        builds = self._bucket(f"{name}-builds", "builds", args)
        uploads = self._bucket(f"{name}-uploads", "uploads", args) if args.uploads else None
        logs = self._bucket(f"{name}-logs", "logs", args)
        if uploads:
            aws.s3.BucketCorsConfiguration(
                f"{name}-uploads-cors",
                bucket=uploads.bucket,
                cors_rules=[
                    aws.s3.BucketCorsConfigurationCorsRuleArgs(
                        allowed_origins=origins,
                        allowed_methods=["GET", "HEAD", "PUT"],
                        allowed_headers=["content-type", "content-length", "x-amz-checksum-sha256"],
                        expose_headers=["etag"],
                        max_age_seconds=_BROWSER_SECONDS,
                    )
                ],
                opts=pulumi.ResourceOptions(parent=uploads),
            )
        self.builds_bucket, self.builds_arn = builds.bucket, builds.arn
        self.uploads_bucket = uploads.bucket if uploads else None
        self.uploads_arn = uploads.arn if uploads else None
        self.logs_bucket, self.logs_ready = logs.bucket, logs
        self.register_outputs({
            "buildsBucket": self.builds_bucket,
            "uploadsBucket": self.uploads_bucket,
            "logsBucket": self.logs_bucket,
        })  # fmt: skip

    def _bucket(self, name: str, what: str, args: StorageArgs) -> SealedBucket:
        logs = what == "logs"
        return SealedBucket(
            name,
            BucketArgs(
                bucket=args.names.bucket(what),
                policy=as_json(bucket_policy(args.names, what)),
                key_arn=None if logs else args.key_arn,
                old_version_days=args.settings.old_version_days,
                unfinished_days=args.settings.unfinished_days,
                expire_days=args.log_days if logs else None,
                protect=args.protect,
            ),
            pulumi.ResourceOptions(parent=self),
        )


def explicit_origins(origins: Sequence[str]) -> list[str]:
    """`origins` without duplicates. Raises BadInput for a wildcard: any page on the internet could upload."""
    for origin in origins:
        if "*" in origin or not origin.startswith(("https://", "http://localhost")):
            raise BadInput(
                f'slipway:aws.buckets.origins: must be like "https://app.example.com", got "{origin}"',
                remedy="list every origin whose pages may upload; a wildcard allows every page",
            )
    return list(dict.fromkeys(origins))


@dataclass(frozen=True)
class BucketArgs:
    """One bucket's name, policy, key and retention."""

    bucket: str
    """Physical name."""
    policy: pulumi.Input[str]
    """Bucket policy, as JSON."""
    key_arn: pulumi.Input[str] | None
    """KMS key for objects; None: S3's own key."""
    old_version_days: int
    unfinished_days: int
    expire_days: int | None = None
    """Days after which objects are deleted; None: never."""
    protect: bool = True


class SealedBucket(pulumi.ComponentResource):
    """A bucket that cannot be made public, by policy or by ACL (S3.1, S3.2, S3.3, S3.8, S3.12).

    TLS only (S3.5, in the given policy); encrypted at rest (S3.17); versioned (S3.14); old versions and
    incomplete uploads expire (S3.13). Pulumi never empties it where `protect` is on.
    """

    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:SealedBucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        made = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=args.bucket,
            # Without protection the stack is one that goes, with what is in it.
            force_destroy=not args.protect,
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
        _expire(name, made, args, pulumi.ResourceOptions(parent=self, depends_on=[versions]))
        # After the block: S3 rejects concurrent changes of both.
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
                # One data key for many objects: KMS charges by the call.
                bucket_key_enabled=args.key_arn is not None,
            )
        ],
        opts=opts,
    )


def _expire(name: str, bucket: aws.s3.Bucket, args: BucketArgs, opts: pulumi.ResourceOptions) -> None:
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
