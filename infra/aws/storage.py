"""The stack's buckets: builds, uploads, and the load balancer's logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.bucket import BucketArgs, SealedBucket
from infra.aws.policy_document import as_json
from infra.aws.resource_policies import bucket_policy
from slipway.settings.aws import Buckets
from slipway.settings.aws_names import AwsNames
from slipway.settings.errors import BadInput

_BROWSER_SECONDS = 3600


@dataclass(frozen=True)
class StorageArgs:
    """Whose buckets, and for how long they keep what is no longer current."""

    names: AwsNames
    settings: Buckets
    key_arn: pulumi.Input[str]
    """Of the stack's KMS key."""
    origins: Sequence[str]
    """Whose pages may upload: `https://board.example.com`."""
    log_days: int
    """How long the load balancer's logs are kept."""
    uploads: bool = True
    """False: there are none, or they live elsewhere."""
    protect: bool = True


class Storage(pulumi.ComponentResource):
    """Three private buckets (two without uploads), encrypted, versioned, reached by TLS only.

    builds: releases, ledger, hosts' public keys; hosts only read it, but for their own key.
    uploads: with CORS for the site's own origins (I6).
    logs: the load balancer's access and connection logs (ELB.5), thrown away after `log_days`. Encrypted with
    S3's own key, since the load balancer cannot write with another.
    """

    builds_bucket: pulumi.Output[str]
    builds_arn: pulumi.Output[str]
    uploads_bucket: pulumi.Output[str] | None
    uploads_arn: pulumi.Output[str] | None
    logs_bucket: pulumi.Output[str]
    logs_ready: pulumi.Resource
    """Who delivers logs depends on this: AWS tries the bucket's policy at once."""

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Storage", name, None, opts)
        origins = explicit_origins(args.origins)
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
    """`origins` as they are. Raises BadInput for a wildcard: any page on the internet could then upload."""
    for origin in origins:
        if "*" in origin or not origin.startswith(("https://", "http://localhost")):
            raise BadInput(
                f'slipway:aws.buckets.origins: must be like "https://app.example.com", got "{origin}"',
                remedy="list every origin whose pages may upload; a wildcard lets in all of them",
            )
    return list(dict.fromkeys(origins))
