"""The load balancer's listeners: what is said to clients, and to whom."""

from __future__ import annotations

import re
from collections.abc import Iterable

from infra.policies.entries import entries, table
from infra.policies.rule import World, at, holds, made, rule, world
from infra.recording.graph import Resource

LISTENER = "aws:lb/listener:Listener"

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


RULES = [*SETTINGS, redirects_to_tls, never_ignores_weights, asks_for_cloudflares_certificate]
