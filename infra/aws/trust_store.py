"""Whose client certificates the load balancer takes: those of the authority of Cloudflare's origin pulls."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.physical import LOAD_BALANCER, short_name
from slipway.settings.aws_names import AwsNames

BUNDLE_KEY = "edge/origin-ca.pem"
"""In the builds bucket: the load balancer's API takes a bundle from S3 only."""


@dataclass(frozen=True)
class TrustStoreArgs:
    """Which authority, and where its certificate may lie."""

    names: AwsNames
    bucket: pulumi.Input[str]
    pem: str
    """The authority's certificate; it is public."""


class TrustStore(pulumi.ComponentResource):
    """An authority's certificate in S3 and a trust store made of it, for mutual TLS."""

    arn: Output[str]

    def __init__(self, name: str, args: TrustStoreArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:TrustStore", name, None, opts)
        child = ResourceOptions(parent=self)
        bundle = aws.s3.BucketObjectv2(
            f"{name}-bundle",
            bucket=args.bucket,
            key=BUNDLE_KEY,
            content=args.pem,
            content_type="application/x-pem-file",
            opts=child,
        )
        store = aws.lb.TrustStore(
            f"{name}-store",
            name=short_name(f"{args.names.fleet}-origin", LOAD_BALANCER),
            ca_certificates_bundle_s3_bucket=bundle.bucket,
            ca_certificates_bundle_s3_key=bundle.key,
            ca_certificates_bundle_s3_object_version=bundle.version_id,
            opts=child,
        )
        self.arn = store.arn
        self.register_outputs({"arn": self.arn})
