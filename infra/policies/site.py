"""Rules on Cloudflare, firewall, load balancer and listeners that need more than one input."""

from collections.abc import Iterable
from typing import Any

from infra.policies.reading import at, entries
from infra.policies.rule import Alone, Together, World
from infra.recording.graph import Resource
from slipway.settings.controls import tokens as on

ZONE: dict[str, tuple[Any, ...]] = {
    "ssl": ("strict",),
    "min_tls_version": ("1.2", "1.3"),
    "always_use_https": ("on",),
    "tls_client_auth": ("on",),
}
"""By zone setting: the values with which TLS is verified from the browser to the load balancer."""


def behind_firewall(balancer: Resource, stack: World) -> Iterable[str]:
    if not stack.linked(balancer, on.WEB_ACL_ASSOCIATION, by="resourceArn"):
        yield "no web ACL is associated with it"


def limits_rates(acl: Resource) -> Iterable[str]:
    rules = entries(acl.inputs.get("rules"))
    if not any(at(each, "statement.managedRuleGroupStatement") for each in rules):
        yield "no managed rules"
    limiting = [each for each in rules if at(each, "statement.rateBasedStatement.limit")]
    if not any(at(each, "action.block") is not None for each in limiting):
        yield "no rate rule that blocks"


def algorithm_fits(targets: Resource) -> Iterable[str]:
    if targets.inputs.get("loadBalancingAlgorithmType") != "least_outstanding_requests":
        return
    if targets.inputs.get("slowStart"):
        yield f"slowStart is {targets.inputs['slowStart']} with least_outstanding_requests"
    if targets.inputs.get("loadBalancingCrossZoneEnabled") == "false":
        yield "cross-zone balancing is off with least_outstanding_requests"


def redirects_to_tls(listener: Resource) -> Iterable[str]:
    if listener.inputs.get("protocol") != "HTTP":
        return
    actions = entries(listener.inputs.get("defaultActions"))
    if not actions:
        yield "no default action"
    for action in actions:
        if action.get("type") != "redirect" or at(action, "redirect.protocol") != "HTTPS":
            yield f"answers plain HTTP with {action.get('type')}"


def never_ignores_weights(listener: Resource) -> Iterable[str]:
    for path in listener.ignore_changes:
        if path.startswith("defaultActions"):
            yield f"ignores changes of {path}"


def asks_for_cloudflares_certificate(listener: Resource, stack: World) -> Iterable[str]:
    behind = any(each.type.startswith("cloudflare:") for each in stack.graph)
    if behind and listener.inputs.get("protocol") == "HTTPS":
        mode = at(listener.inputs, "mutualAuthentication.mode")
        if mode != "verify" or not at(listener.inputs, "mutualAuthentication.trustStoreArn"):
            yield f"mutual authentication is {mode or 'not set'}"


def strict_tls(setting: Resource) -> Iterable[str]:
    name = str(setting.inputs.get("settingId"))
    if name in ZONE and setting.inputs.get("value") not in ZONE[name]:
        yield f"{name} is {setting.inputs.get('value')}"


def behind_cloudflare(record: Resource) -> Iterable[str]:
    content = str(record.inputs.get("content"))
    to_balancer = content.startswith("${aws_lb.") or content.endswith(".elb.amazonaws.com")
    if to_balancer and record.inputs.get("proxied") is not True:
        yield "leads to the load balancer past Cloudflare"


def edge_limits_rates(ruleset: Resource) -> Iterable[str]:
    if ruleset.inputs.get("phase") != "http_ratelimit":
        return
    for each in entries(ruleset.inputs.get("rules")):
        if each.get("action") not in {"block", "managed_challenge"}:
            yield f"only does {each.get('action')}"
        if not at(each, "ratelimit.requestsPerPeriod"):
            yield "has no limit"


def token_scoped(token: Resource) -> Iterable[str]:
    for policy in entries(token.inputs.get("policies")):
        resources = policy.get("resources")
        text = resources if isinstance(resources, str) else str(resources)
        if ".*" in text:
            yield f"gives access to {text}"


ALONE: dict[str, Alone] = {
    "firewall-limits-rates": limits_rates,
    "target-group-algorithm-fits": algorithm_fits,
    "listener-redirects-to-tls": redirects_to_tls,
    "listener-never-ignores-weights": never_ignores_weights,
    "zone-strict-tls": strict_tls,
    "site-behind-cloudflare": behind_cloudflare,
    "edge-limits-rates": edge_limits_rates,
    "token-scoped": token_scoped,
}
TOGETHER: dict[str, Together] = {
    "lb-behind-firewall": behind_firewall,
    "listener-asks-for-cloudflares-certificate": asks_for_cloudflares_certificate,
}
