"""The load balancer's ports: 80 sends on to 443, 443 speaks TLS and forwards what is for the public."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

HSTS = "max-age=31536000; includeSubDomains"
"""As the edge of platform `hosts` says it."""
OWN_PATHS = ("/-",)
"""slipway's own, on hosts: never for the public."""


@dataclass(frozen=True)
class ListenersArgs:
    """What comes in, and where it goes."""

    load_balancer_arn: pulumi.Input[str]
    target_group_arn: pulumi.Input[str]
    certificate_arn: pulumi.Input[str]
    ssl_policy: str
    private_paths: Sequence[str]
    trust_store_arn: pulumi.Input[str] | None
    """Whose client certificates are asked for; None: nobody's."""


class Listeners(pulumi.ComponentResource):
    """HTTP that only redirects (ELB.1) and HTTPS with an explicit TLS policy (ELB.17).

    Every answer carries HSTS and none says which server gave it. Private paths, and all below them, are
    answered with 404 before any host sees them. With a trust store, a client without a certificate of its
    authority does not get past the handshake.
    """

    arn: Output[str]

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
            mutual_authentication=aws.lb.ListenerMutualAuthenticationArgs(
                mode="verify",
                trust_store_arn=args.trust_store_arn,
                ignore_client_certificate_expiry=False,
            )
            if args.trust_store_arn is not None
            else None,
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


def path_and_below(path: str) -> list[str]:
    """Patterns for `path` itself and everything under it, but not for what merely begins like it."""
    own = path.rstrip("/")
    return [own, f"{own}/*"] if own else ["/"]
