"""The load balancer's listeners: port 80 redirects to 443, and 443 forwards public paths to the hosts."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.limits import LOAD_BALANCER, short_name
from slipway.settings.aws_names import AwsNames

HSTS = "max-age=31536000; includeSubDomains"
"""The same max-age as the edge of platform `servers` sends."""
OWN_PATHS = ("/-",)
"""slipway's own paths on hosts, which are never public."""


@dataclass(frozen=True)
class ListenersArgs:
    """Load balancer, target group, certificate, TLS policy and private paths."""

    names: AwsNames
    load_balancer_arn: pulumi.Input[str]
    target_group_arn: pulumi.Input[str]
    certificate_arn: pulumi.Input[str]
    """ARN of an issued certificate: AWS rejects any other."""
    ssl_policy: str
    private_paths: Sequence[str]
    """Paths that are answered with 404."""
    origin_ca: str
    """PEM of the authority that client certificates must come from (Cloudflare's); empty: none needed."""
    bundle_bucket: pulumi.Input[str]
    """Bucket of the trust store's certificate bundle."""


class Listeners(pulumi.ComponentResource):
    """HTTP that only redirects (ELB.1) and HTTPS with an explicit TLS policy (ELB.17).

    Every response has an HSTS header and no Server header. Private paths, and everything below them, are
    answered with 404 by the load balancer. With `origin_ca`, the handshake fails for a client without a
    certificate from that authority.
    """

    arn: Output[str]
    """ARN of the HTTPS listener."""

    def __init__(self, name: str, args: ListenersArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Listeners", name, None, opts)
        child = ResourceOptions(parent=self)
        aws.lb.Listener(
            f"{name}-http",
            load_balancer_arn=args.load_balancer_arn,
            port=80,
            protocol="HTTP",
            routing_http_response_server_enabled=False,
            default_actions=[
                aws.lb.ListenerDefaultActionArgs(
                    type="redirect",
                    redirect=aws.lb.ListenerDefaultActionRedirectArgs(
                        protocol="HTTPS", port="443", status_code="HTTP_301"
                    ),
                )
            ],
            opts=child,
        )
        https = aws.lb.Listener(
            f"{name}-https",
            load_balancer_arn=args.load_balancer_arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=args.ssl_policy,
            certificate_arn=args.certificate_arn,
            mutual_authentication=_mutual(f"{name}-trust", args, child) if args.origin_ca else None,
            routing_http_response_strict_transport_security_header_value=HSTS,
            routing_http_response_server_enabled=False,
            default_actions=[
                aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=args.target_group_arn)
            ],
            opts=child,
        )
        for priority, path in enumerate((*OWN_PATHS, *args.private_paths), start=1):
            aws.lb.ListenerRule(
                f"{name}-private-{priority}",
                listener_arn=https.arn,
                priority=priority,
                conditions=[
                    aws.lb.ListenerRuleConditionArgs(
                        path_pattern=aws.lb.ListenerRuleConditionPathPatternArgs(values=path_and_below(path))
                    )
                ],
                actions=[
                    aws.lb.ListenerRuleActionArgs(
                        type="fixed-response",
                        fixed_response=aws.lb.ListenerRuleActionFixedResponseArgs(
                            status_code="404", content_type="text/plain", message_body="Not found"
                        ),
                    )
                ],
                opts=child,
            )
        self.arn = https.arn
        self.register_outputs({"arn": self.arn})


def _mutual(name: str, args: ListenersArgs, opts: ResourceOptions) -> aws.lb.ListenerMutualAuthenticationArgs:
    trust = TrustStore(
        name, TrustStoreArgs(names=args.names, bucket=args.bundle_bucket, pem=args.origin_ca), opts
    )
    return aws.lb.ListenerMutualAuthenticationArgs(
        mode="verify", trust_store_arn=trust.arn, ignore_client_certificate_expiry=False
    )


def path_and_below(path: str) -> list[str]:
    """Patterns for `path` and everything below it, but not for paths that only start with the same text."""
    own = path.rstrip("/")
    return [own, f"{own}/*"] if own else ["/"]


BUNDLE_KEY = "edge/origin-ca.pem"
"""Key in the builds bucket: the load balancer's API reads a bundle from S3 only."""


@dataclass(frozen=True)
class TrustStoreArgs:
    """The authority, and the bucket for its certificate."""

    names: AwsNames
    bucket: pulumi.Input[str]
    pem: str
    """The authority's certificate; it is public."""


class TrustStore(pulumi.ComponentResource):
    """An authority's certificate in S3 and a trust store made from it, for mutual TLS."""

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
