"""Cloudflare in front."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from infra.policies.entries import entries
from infra.policies.rule import World, at, made, rule, world
from infra.recording.graph import Resource

SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
RULESET = "cloudflare:index/ruleset:Ruleset"
TOKENS = ("cloudflare:index/apiToken:ApiToken", "cloudflare:index/accountToken:AccountToken")

ZONE: dict[str, tuple[Any, ...]] = {
    "ssl": ("strict",),
    "min_tls_version": ("1.2", "1.3"),
    "always_use_https": ("on",),
    "tls_client_auth": ("on",),
}
"""By setting: values that keep the promise of TLS from the browser to the load balancer."""


def _setting(id_: str, value: str) -> World:
    return world(made(SETTING, inputs={"settingId": id_, "value": value}))


@rule(
    "zone-strict-tls", SETTING,
    controls=("X1", "I1"), severity="high",
    remedy="ssl strict, TLS 1.2 or later, https always, origin pulls signed",
    passing=[_setting(id_, good[0]) for id_, good in ZONE.items()],
    failing=[
        _setting("ssl", "flexible"), _setting("min_tls_version", "1.0"), _setting("always_use_https", "off"),
        _setting("tls_client_auth", "off"),
    ],
)  # fmt: skip
def strict_tls(setting: Resource, _: World) -> Iterable[str]:
    """From the browser to the load balancer it is TLS, checked at both ends."""
    name = str(setting.inputs.get("settingId"))
    if name in ZONE and setting.inputs.get("value") not in ZONE[name]:
        yield f"{name} is {setting.inputs.get('value')}"


def _record(**inputs: Any) -> World:
    return world(made(RECORD, inputs=inputs))


@rule(
    "site-behind-cloudflare", RECORD,
    controls=("I1", "I13"), severity="high",
    remedy="set proxied=True on the records that lead to the load balancer",
    passing=[
        _record(type="CNAME", content="${aws_lb.edge.dns_name}", proxied=True),
        _record(type="CNAME", content="${tolist(aws_acm_certificate.site.options)[0].x}", proxied=False),
    ],
    failing=[_record(type="CNAME", content="${aws_lb.edge.dns_name}", proxied=False)],
)  # fmt: skip
def behind_cloudflare(record: Resource, _: World) -> Iterable[str]:
    """Nobody is led past Cloudflare to the load balancer."""
    content = str(record.inputs.get("content"))
    to_balancer = content.startswith("${aws_lb.") or content.endswith(".elb.amazonaws.com")
    if to_balancer and record.inputs.get("proxied") is not True:
        yield "leads to the load balancer without Cloudflare between"


_LIMIT = {"action": "block", "ratelimit": {"period": 10, "requestsPerPeriod": 200}}


@rule(
    "edge-limits-rates", RULESET,
    controls=("X7",), severity="medium",
    remedy="block, with a period and a number of requests",
    passing=[world(made(RULESET, inputs={"phase": "http_ratelimit", "rules": [_LIMIT]}))],
    failing=[
        world(made(RULESET, inputs={"phase": "http_ratelimit", "rules": [{**_LIMIT, "action": "log"}]})),
        world(made(RULESET, inputs={"phase": "http_ratelimit", "rules": [{"action": "block"}]})),
    ],
)  # fmt: skip
def edge_limits_rates(ruleset: Resource, _: World) -> Iterable[str]:
    """Cloudflare turns away addresses that ask too often."""
    if ruleset.inputs.get("phase") != "http_ratelimit":
        return
    for each in entries(ruleset.inputs.get("rules")):
        if each.get("action") not in {"block", "managed_challenge"}:
            yield f"only does {each.get('action')}"
        if not at(each, "ratelimit.requestsPerPeriod"):
            yield "has no limit"


def _token(type_: str, resources: str) -> World:
    return world(made(type_, inputs={"policies": [{"resources": f'{{"{resources}":"*"}}'}]}))


@rule(
    "token-scoped", *TOKENS,
    controls=("I7", "I15"), severity="high", remedy="name the bucket or zone in the token's policy",
    passing=[_token(TOKENS[0], "com.cloudflare.edge.r2.bucket.a_default_b")],
    failing=[
        _token(TOKENS[0], "com.cloudflare.api.account.*"),
        _token(TOKENS[1], "com.cloudflare.api.account.zone.*"),
    ],
)  # fmt: skip
def token_scoped(token: Resource, _: World) -> Iterable[str]:
    """A token of Cloudflare's opens one bucket or zone, not the account."""
    for policy in entries(token.inputs.get("policies")):
        resources = policy.get("resources")
        text = resources if isinstance(resources, str) else str(resources)
        if ".*" in text:
            yield f"opens {text}"


RULES = [strict_tls, behind_cloudflare, edge_limits_rates, token_scoped]
