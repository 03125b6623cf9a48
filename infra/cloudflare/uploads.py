"""Uploads on R2: a bucket, and a token for that bucket only."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_cloudflare as cloudflare

from infra.aws.buckets import explicit_origins

READ_OBJECTS = "6a018a9f2fc74eb6b293b0c548f38b39"
WRITE_OBJECTS = "2efd5506f9c8494dacb1fa10a3e7d5b6"
"""Permission groups "Workers R2 Storage Bucket Item Read" and "… Write", the same in every account:
https://developers.cloudflare.com/r2/api/tokens/"""
SECRET = "PLATFORM_UPLOADS_SECRET_KEY"  # noqa: S105 - the name of an entry, not its value
"""Entry in the stack's secret store with the token's secret key."""
_DAY = 86_400
_BROWSER_SECONDS = 3600


@dataclass(frozen=True)
class UploadsArgs:
    """The bucket, and the origins whose pages may upload."""

    account: str
    fleet: str
    origins: Sequence[str]
    unfinished_days: int
    protect: bool = True


class Uploads(pulumi.ComponentResource):
    """A private bucket with CORS for the site's origins, and a token for its objects only (I6, I7).

    The token's id is the access key; its secret key is the SHA-256 of the token's value. Cloudflare returns
    a new token's value to Pulumi, whose state stores it, encrypted. That value is never used: `slipway up`
    rolls it before the first release (`PUT /accounts/<account>/tokens/<id>/value` invalidates it) and stores
    the digest of the new value in the secret store (`SECRET`). No output contains either.
    """

    bucket: pulumi.Output[str]
    endpoint: str
    access_key: pulumi.Output[str]

    def __init__(self, name: str, args: UploadsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:cloudflare:Uploads", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket = cloudflare.R2Bucket(
            f"{name}-bucket",
            account_id=args.account,
            name=f"{args.fleet}-uploads",
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        _cors(name, args, bucket, child)
        _expire(name, args, bucket, child)
        token = cloudflare.AccountToken(
            f"{name}-token",
            account_id=args.account,
            name=f"{args.fleet} uploads",
            policies=[
                cloudflare.AccountTokenPolicyArgs(
                    effect="allow",
                    permission_groups=[
                        cloudflare.AccountTokenPolicyPermissionGroupArgs(id=each)
                        for each in (READ_OBJECTS, WRITE_OBJECTS)
                    ],
                    resources=bucket.name.apply(lambda made: json.dumps(token_scope(args.account, made))),
                )
            ],
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["value"]),
        )
        self.bucket, self.access_key = bucket.name, token.id
        self.endpoint = f"https://{args.account}.r2.cloudflarestorage.com"
        self.register_outputs({"bucket": self.bucket, "accessKey": self.access_key})


def token_scope(account: str, bucket: str) -> dict[str, str]:
    """The token's scope: the objects of one bucket."""
    return {f"com.cloudflare.edge.r2.bucket.{account}_default_{bucket}": "*"}


def _cors(name: str, args: UploadsArgs, bucket: cloudflare.R2Bucket, opts: pulumi.ResourceOptions) -> None:
    cloudflare.R2BucketCors(
        f"{name}-cors",
        account_id=args.account,
        bucket_name=bucket.name,
        rules=[
            cloudflare.R2BucketCorsRuleArgs(
                id="site",
                allowed=cloudflare.R2BucketCorsRuleAllowedArgs(
                    origins=explicit_origins(args.origins),
                    methods=["GET", "HEAD", "PUT"],
                    headers=["content-type", "content-length"],
                ),
                expose_headers=["etag"],
                max_age_seconds=_BROWSER_SECONDS,
            )
        ],
        opts=opts,
    )


def _expire(name: str, args: UploadsArgs, bucket: cloudflare.R2Bucket, opts: pulumi.ResourceOptions) -> None:
    after = cloudflare.R2BucketLifecycleRuleAbortMultipartUploadsTransitionConditionArgs(
        max_age=args.unfinished_days * _DAY, type="Age"
    )
    cloudflare.R2BucketLifecycle(
        f"{name}-lifecycle",
        account_id=args.account,
        bucket_name=bucket.name,
        rules=[
            cloudflare.R2BucketLifecycleRuleArgs(
                id="unfinished-uploads",
                enabled=True,
                conditions=cloudflare.R2BucketLifecycleRuleConditionsArgs(prefix=""),
                abort_multipart_uploads_transition=(
                    cloudflare.R2BucketLifecycleRuleAbortMultipartUploadsTransitionArgs(condition=after)
                ),
            )
        ],
        opts=opts,
    )
