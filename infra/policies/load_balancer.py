"""The load balancer, its listeners and target groups, and the firewall before it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from infra.policies.entries import entries, table
from infra.policies.rule import World, at, holds, made, rule, world
from infra.recording.graph import Resource

LB = "aws:lb/loadBalancer:LoadBalancer"
LISTENER = "aws:lb/listener:Listener"
TARGETS = "aws:lb/targetGroup:TargetGroup"
ACL = "aws:wafv2/webAcl:WebAcl"
ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
CERTIFICATE = "aws:acm/certificate:Certificate"

READY = "/-/slipway/ready"
TLS_POLICIES = {
    "ELBSecurityPolicy-TLS13-1-3-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-PQ-2025-09",
}
"""TLS 1.2 with forward secrecy or better; of AWS's list of predefined policies."""
HTTPS = {"port": 443, "protocol": "HTTPS"}
YEAR = 31_536_000


def _is_https(inputs: object) -> bool:
    return table(inputs).get("protocol") == "HTTPS"


def _covers_a_year(value: str) -> bool:
    found = re.search(r"max-age=(\d+)", value)
    return bool(found) and int(found[1]) >= YEAR and "includeSubDomains" in value


SETTINGS = [
    holds(
        "lb-drops-invalid-headers", LB, "dropInvalidHeaderFields", good=True, bad=False,
        says="The load balancer drops headers with invalid names.",
        controls=("ELB.4",), severity="medium",
    ),
    holds(
        "lb-strict-desync", LB, "desyncMitigationMode", good="strictest", bad="monitor",
        when=lambda value: value in {"strictest", "defensive"},
        says="Requests that front and back could read differently are refused.",
        controls=("ELB.12",), severity="medium",
    ),
    holds(
        "lb-appends-forwarded-for", LB, "xffHeaderProcessingMode", good="append", bad="preserve",
        says="The load balancer appends the client's address to X-Forwarded-For.",
        controls=("X8", "I2"), severity="high",
    ),
    holds(
        "lb-outlasts-heartbeats", LB, "idleTimeout", good=120, bad=30,
        when=lambda value: isinstance(value, int) and value >= 60,
        says="Silent connections live for two heartbeats at least.",
        controls=("I2",), severity="medium", remedy="set load_balancer.idle_seconds to 60 or more",
    ),
    holds(
        "lb-deletion-protection", LB, "enableDeletionProtection", good=True, bad=False,
        says="AWS refuses to delete production's load balancer.",
        controls=("ELB.6",), severity="medium", production_only=True,
    ),
    holds(
        "lb-access-logs", LB, "accessLogs.enabled", good=True, bad=False,
        says="Every request is logged.", controls=("ELB.5",), severity="medium",
    ),
    holds(
        "lb-connection-logs", LB, "connectionLogs.enabled", good=True, bad=False,
        says="Every TLS connection is logged.", controls=("ELB.5",), severity="low",
    ),
    holds(
        "lb-preserves-host", LB, "preserveHostHeader", good=True, bad=False,
        says="Hosts see the name that the client asked for.", controls=("I2",), severity="low",
    ),
    holds(
        "lb-in-two-zones", LB, "subnets", good=["a", "b"], bad=["a"],
        when=lambda value: isinstance(value, list) and len(value) >= 2,  # pyright: ignore[reportUnknownArgumentType]
        says="The load balancer stands in two zones at least.", controls=("ELB.13", "I1"),
        severity="medium",
    ),
    holds(
        "listener-tls-policy", LISTENER, "sslPolicy", good="ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        bad="ELBSecurityPolicy-2016-08", when=lambda value: value in TLS_POLICIES, only=_is_https,
        given=HTTPS,
        says="TLS 1.2 with forward secrecy at least.", controls=("ELB.17", "X1"), severity="high",
    ),
    holds(
        "listener-hsts", LISTENER, "routingHttpResponseStrictTransportSecurityHeaderValue",
        good=f"max-age={YEAR}; includeSubDomains", bad="max-age=60", when=_covers_a_year,
        only=_is_https, given=HTTPS,
        says="Browsers are told for a year, subdomains too, to use TLS only.",
        controls=("X1",), severity="medium",
    ),
    holds(
        "listener-hides-server", LISTENER, "routingHttpResponseServerEnabled", good=False, bad=True,
        only=_is_https, given=HTTPS,
        says="Answers do not tell what server made them.", controls=("X2",), severity="low",
    ),
    holds(
        "target-group-sticky", TARGETS, "stickiness.type", good="lb_cookie", bad="source_ip",
        says="A client comes back to its host by the load balancer's own cookie.",
        controls=("I2",), severity="high",
    ),
    holds(
        "target-group-drains", TARGETS, "deregistrationDelay", good=60, bad=5,
        when=lambda value: isinstance(value, int) and value >= 30,
        says="A leaving host has time to end what it has begun.", controls=("S5",), severity="medium",
    ),
    holds(
        "target-group-asks-readiness", TARGETS, "healthCheck.path", good=READY, bad="/",
        says="A host gets traffic once its live release says that it is ready.",
        controls=("I3",), severity="high",
    ),
    holds(
        "target-group-asks-often", TARGETS, "healthCheck.interval", good=10, bad=60,
        when=lambda value: isinstance(value, int) and value <= 30,
        says="Health is asked for at least every 30 s.", controls=("I3",), severity="medium",
    ),
    holds(
        "target-group-wants-200", TARGETS, "healthCheck.matcher", good="200", bad="200-499",
        says="Only 200 is healthy.", controls=("I3",), severity="medium",
    ),
    holds(
        "certificate-by-dns", CERTIFICATE, "validationMethod", good="DNS", bad="EMAIL",
        only=lambda inputs: "certificateBody" not in inputs,
        says="The certificate renews itself: it is proved by DNS.", controls=("ACM.1", "I1"),
        severity="medium",
    ),
]  # fmt: skip


def _listener(*actions: dict[str, object], **inputs: object) -> Resource:
    return made(LISTENER, inputs={"port": 80, "protocol": "HTTP", "defaultActions": list(actions), **inputs})


_TO_TLS: dict[str, object] = {
    "type": "redirect",
    "redirect": {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"},
}


@rule(
    "listener-redirects-to-tls", LISTENER,
    controls=("ELB.1", "X1"), severity="high",
    remedy="redirect port 80 to https with HTTP_301, and forward on the HTTPS listener only",
    passing=[world(_listener(_TO_TLS))],
    failing=[world(_listener({"type": "forward", "targetGroupArn": "arn"})), world(_listener())],
)  # fmt: skip
def redirects_to_tls(listener: Resource, _: World) -> Iterable[str]:
    """A plain HTTP listener does nothing but redirect to https."""
    if listener.inputs.get("protocol") != "HTTP":
        return
    actions = entries(listener.inputs.get("defaultActions"))
    if not actions:
        yield "no default action"
    for action in actions:
        if action.get("type") != "redirect" or at(action, "redirect.protocol") != "HTTPS":
            yield f"answers plain HTTP with {action.get('type')}"


@rule(
    "listener-never-ignores-weights", LISTENER,
    controls=("S4",), severity="medium",
    remedy="leave ignore_changes off listeners: it is broken for weights (pulumi-aws#5798)",
    passing=[world(_listener(_TO_TLS))],
    failing=[world(made(LISTENER, inputs={"port": 80}, ignore_changes=("defaultActions",)))],
)  # fmt: skip
def never_ignores_weights(listener: Resource, _: World) -> Iterable[str]:
    """No change of a listener's actions is ignored."""
    for path in listener.ignore_changes:
        if path.startswith("defaultActions"):
            yield f"ignores changes of {path}"


_RECORD = made("cloudflare:index/dnsRecord:DnsRecord", "site")
_MTLS = {"mode": "verify", "trustStoreArn": "arn"}


@rule(
    "listener-asks-for-cloudflares-certificate", LISTENER,
    controls=("I1", "X8"), severity="high",
    remedy="set mutual_authentication to verify with a TrustStore of Cloudflare's origin-pull CA",
    passing=[
        world(made(LISTENER, inputs={**HTTPS, "mutualAuthentication": _MTLS}), _RECORD),
        world(made(LISTENER, inputs=HTTPS)),
    ],
    failing=[
        world(made(LISTENER, inputs=HTTPS), _RECORD),
        world(made(LISTENER, inputs={**HTTPS, "mutualAuthentication": {"mode": "off"}}), _RECORD),
    ],
)  # fmt: skip
def asks_for_cloudflares_certificate(listener: Resource, stack: World) -> Iterable[str]:
    """Behind Cloudflare the listener verifies the certificate that Cloudflare shows it."""
    behind = any(each.type.startswith("cloudflare:") for each in stack.graph)
    if behind and listener.inputs.get("protocol") == "HTTPS":
        mode = at(listener.inputs, "mutualAuthentication.mode")
        if mode != "verify" or not at(listener.inputs, "mutualAuthentication.trustStoreArn"):
            yield f"mutual authentication is {mode or 'not set'}"


def _targets(**inputs: object) -> World:
    return world(made(TARGETS, inputs=inputs))


@rule(
    "target-group-algorithm-fits", TARGETS,
    controls=("I1", "I2"), severity="medium",
    remedy="slow_start needs round_robin; least_outstanding_requests needs cross-zone balancing",
    passing=[
        _targets(loadBalancingAlgorithmType="least_outstanding_requests", slowStart=0),
        _targets(loadBalancingAlgorithmType="round_robin", slowStart=30),
    ],
    failing=[
        _targets(loadBalancingAlgorithmType="least_outstanding_requests", slowStart=30),
        _targets(
            loadBalancingAlgorithmType="least_outstanding_requests", loadBalancingCrossZoneEnabled="false"
        ),
    ],
)  # fmt: skip
def algorithm_fits(targets: Resource, _: World) -> Iterable[str]:
    """Nothing is combined with the load balancing algorithm that AWS refuses or that undoes it."""
    if targets.inputs.get("loadBalancingAlgorithmType") != "least_outstanding_requests":
        return
    if targets.inputs.get("slowStart"):
        yield f"slowStart is {targets.inputs['slowStart']} with least_outstanding_requests"
    if targets.inputs.get("loadBalancingCrossZoneEnabled") == "false":
        yield "cross-zone balancing is off with least_outstanding_requests"


_LB = made(LB, "edge")


@rule(
    "lb-behind-firewall", LB,
    controls=("ELB.16", "X7"), severity="medium", production_only=True,
    remedy="set load_balancer.firewall to true",
    passing=[world(_LB, made(ASSOCIATION, links={"resourceArn": _LB}))],
    failing=[world(_LB)],
)  # fmt: skip
def behind_firewall(balancer: Resource, stack: World) -> Iterable[str]:
    """A web ACL stands before production's load balancer."""
    if not stack.linked(balancer, ASSOCIATION, by="resourceArn"):
        yield "no web ACL is associated with it"


_MANAGED = {"name": "known", "statement": {"managedRuleGroupStatement": {"vendorName": "AWS"}}}
_RATE: dict[str, Any] = {
    "name": "rate",
    "action": {"block": {}},
    "statement": {"rateBasedStatement": {"limit": 3000}},
}


@rule(
    "firewall-limits-rates", ACL,
    controls=("WAF.10", "X7"), severity="medium",
    remedy="give the web ACL AWS's managed rules and a rate-based rule that blocks",
    passing=[world(made(ACL, inputs={"rules": [_MANAGED, _RATE]}))],
    failing=[world(made(ACL, inputs={"rules": [_MANAGED]})), world(made(ACL, inputs={"rules": [_RATE]}))],
)  # fmt: skip
def limits_rates(acl: Resource, _: World) -> Iterable[str]:
    """The firewall has AWS's managed rules, and blocks addresses that ask too often."""
    rules = entries(acl.inputs.get("rules"))
    if not any(at(each, "statement.managedRuleGroupStatement") for each in rules):
        yield "no managed rules"
    limiting = [each for each in rules if at(each, "statement.rateBasedStatement.limit")]
    if not any(at(each, "action.block") is not None for each in limiting):
        yield "no rate rule that blocks"


RULES = [
    *SETTINGS, redirects_to_tls, never_ignores_weights, asks_for_cloudflares_certificate, algorithm_fits,
    behind_firewall, limits_rates,
]  # fmt: skip
