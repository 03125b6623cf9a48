"""Agreement at Cloudflare: phases, actions and settings that exist, and a Worker whose parts fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from infra.cloudflare import EVERY_PATH
from infra.policies.reading import entries, table, texts
from infra.proofs.facts import Facts, Said
from infra.proofs.network_map import first

_DNS, _WORKER = "cloudflare:index/dnsRecord:DnsRecord", "cloudflare:index/workersScript:WorkersScript"
PHASES = {
    "http_request_firewall_managed": {"execute", "skip"},
    "http_request_firewall_custom": {
        "block",
        "challenge",
        "js_challenge",
        "managed_challenge",
        "log",
        "skip",
    },
    "http_ratelimit": {"block", "challenge", "js_challenge", "managed_challenge", "log"},
    "http_request_cache_settings": {"set_cache_settings"},
    "http_request_transform": {"rewrite"},
    "http_response_headers_transform": {"rewrite"},
}
"""Actions, by phase: https://developers.cloudflare.com/ruleset-engine/reference/phases-list/"""
ON_OFF = ("on", "off")
SETTINGS: dict[str, tuple[str, ...]] = {
    "ssl": ("off", "flexible", "full", "strict", "origin_pull"),
    "min_tls_version": ("1.0", "1.1", "1.2", "1.3"),
    "tls_1_3": ("on", "off", "zrt"),
    **dict.fromkeys(
        (
            "always_use_https", "automatic_https_rewrites", "opportunistic_encryption", "tls_client_auth",
            "websockets", "http3", "browser_check", "0rtt", "rocket_loader", "early_hints", "ipv6",
        ),
        ON_OFF,
    ),
}  # fmt: skip
"""https://developers.cloudflare.com/api/resources/zones/subresources/settings/

`brotli` ended on 2024-06-14."""
_PERIODS = {10, 15, 20, 30, 40, 45, 60, 90, 120, 180, 240, 300, 480, 600, 900, 1200, 1800, 2400, 3600, 65_535}


def settings_exist(facts: Facts) -> Iterator[Said]:
    """Zone settings exist, with a value that they take; rules are of a phase and have an action of it."""
    for setting in facts.graph.of("cloudflare:index/zoneSetting:ZoneSetting"):
        name, value = str(setting.inputs.get("settingId")), setting.inputs.get("value")
        if value not in SETTINGS.get(name, ()):
            yield (
                setting,
                "value",
                f"{name} takes {', '.join(SETTINGS.get(name, ())) or 'nothing: there is no such setting'}",
            )
    phases: list[str] = []
    for ruleset in facts.graph.of("cloudflare:index/ruleset:Ruleset"):
        phase = str(ruleset.inputs.get("phase"))
        phases.append(phase)
        if phase not in PHASES:
            yield ruleset, "phase", f"there is no phase {phase}"
        if phases.count(phase) > 1:
            yield ruleset, "phase", f"a zone has one ruleset of phase {phase}"
        for rule in entries(ruleset.inputs.get("rules")):
            if rule.get("action") not in PHASES.get(phase, set()):
                yield ruleset, "rules", f"phase {phase} has no action {rule.get('action')}"
            limit = table(rule.get("ratelimit"))
            if limit and limit.get("period") not in _PERIODS:
                yield ruleset, "rules", f"no period of {limit.get('period')} s"
            if limit and "cf.colo.id" not in texts(limit.get("characteristics")):
                yield ruleset, "rules", "requests are counted in each data centre: cf.colo.id must be named"


def names_lead_to_the_site(facts: Facts) -> Iterator[Said]:
    """The site's record leads to the load balancer; records that prove a domain are not proxied."""
    balancers = {each.address for each in facts.graph.of("aws:lb/loadBalancer:LoadBalancer")}
    for record in facts.graph.of(_DNS):
        content, name = str(record.inputs.get("content")), str(record.inputs.get("name"))
        if first(content) in balancers:
            if not content.endswith(".dns_name}"):
                yield record, "content", f"{content} is no name"
            if record.inputs.get("type") != "CNAME":
                yield record, "type", "a name of a load balancer is a CNAME"
        if "_domainkey" in name and not (
            content.endswith(".dkim.amazonses.com") and record.inputs.get("type") == "CNAME"
        ):
            yield record, "content", "a DKIM record leads to dkim.amazonses.com by CNAME"
        if record.inputs.get("proxied") and ("_domainkey" in name or "acm" in content):
            yield record, "proxied", "a record that proves a domain must not be proxied"
        if record.inputs.get("proxied") and record.inputs.get("ttl") != 1:
            yield record, "ttl", "Cloudflare decides the TTL of a proxied record: 1"


def everything_is_about_the_site(facts: Facts) -> Iterator[Said]:
    """The site's record, its certificate and the zone's rules name one domain."""
    balancers = {each.address for each in facts.graph.of("aws:lb/loadBalancer:LoadBalancer")}
    site = {
        str(each.inputs.get("name"))
        for each in facts.graph.of(_DNS)
        if first(each.inputs.get("content")) in balancers
    }
    certificates = facts.graph.of("aws:acm/certificate:Certificate")
    for each in certificates:
        if site and str(each.inputs.get("domainName")) not in site:
            yield each, "domainName", f"the site is {', '.join(sorted(site))}"
    for ruleset in facts.graph.of("cloudflare:index/ruleset:Ruleset"):
        for rule in entries(ruleset.inputs.get("rules")):
            expression = str(rule.get("expression"))
            if expression == EVERY_PATH and ruleset.inputs.get("phase") == "http_ratelimit":
                continue  # the free plan has no other
            if site and not any(f'"{name}"' in expression for name in site):
                yield ruleset, "rules", f"{rule.get('ref')} is not about {', '.join(sorted(site))}"
    if not site and any(each.type.startswith("cloudflare:") for each in facts.graph):
        yield None, "", "no record leads to the load balancer"


ALWAYS: tuple[tuple[str, str, object], ...] = (
    ("cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings", "enabled", True),
    ("cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain", "enabled", False),
    ("cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain", "previewsEnabled", False),
    ("cloudflare:index/ruleset:Ruleset", "kind", "zone"),
)
"""By type and input, the only value that the site's front may have: closed, or it is no front."""
RECORDS = {"A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"}


def one_zone_and_account(facts: Facts) -> Iterator[Said]:
    """Everything at Cloudflare is in one zone and one account, and switched on or off as it must be."""
    ours = [each for each in facts.graph if each.type.startswith("cloudflare:")]
    for name in ("zoneId", "accountId"):
        given = [str(each.inputs[name]) for each in ours if name in each.inputs]
        usual = max(given, key=given.count, default="")
        for each in ours:
            value = str(each.inputs.get(name, usual))
            if value != usual or (value and not re.fullmatch(r"[0-9a-f]{32}", value)):
                yield each, name, f"{value} is not the {name} of the others, 32 hexadecimal digits"
    for token, name, value in ALWAYS:
        for each in facts.graph.of(token):
            if each.inputs.get(name) != value:
                yield each, name, f"is {each.inputs.get(name)!r}: must be {value!r}"
    for ruleset in facts.graph.of("cloudflare:index/ruleset:Ruleset"):
        for rule in entries(ruleset.inputs.get("rules")):
            if rule.get("enabled") is False:
                yield ruleset, "rules", f"{rule.get('ref')} is switched off"
    for record in facts.graph.of(_DNS):
        kind = str(record.inputs.get("type"))
        if kind not in RECORDS and "${" not in kind:
            yield record, "type", f"{kind} is no type of record"


def the_worker_fits(facts: Facts) -> Iterator[Said]:
    """Its class is the one that its binding and its migration name, and its domain leads to it."""
    for script in facts.graph.of(_WORKER):
        bindings = entries(script.inputs.get("bindings"))
        bound = {
            str(each.get("className")) for each in bindings if each.get("type") == "durable_object_namespace"
        }
        made = set(texts(table(script.inputs.get("migrations")).get("newSqliteClasses")))
        if script.inputs.get("migrations") and made != bound:
            yield script, "migrations", f"makes {sorted(made)}, and bindings use {sorted(bound)}"
        names = [str(each.get("name")) for each in bindings]
        if len(set(names)) < len(names):
            yield script, "bindings", "two have one name"
        day = str(script.inputs.get("compatibilityDate"))
        if not re.fullmatch(r"20\d\d-\d\d-\d\d", day) or date.fromisoformat(day) > date.today():
            yield script, "compatibilityDate", f"{day} is no date in the past"
        if not re.search(r"\.(m?js|wasm|py)$", str(script.inputs.get("mainModule"))):
            yield script, "mainModule", f"{script.inputs.get('mainModule')} is no module"
    scripts = {str(each.inputs.get("scriptName")) for each in facts.graph.of(_WORKER)}
    for each in facts.graph.of("cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain"):
        if each.inputs.get("scriptName") not in scripts:
            yield each, "scriptName", f"{each.inputs.get('scriptName')} is no Worker of the stack"
    for domain in facts.graph.of("cloudflare:index/workersCustomDomain:WorkersCustomDomain"):
        if domain.inputs.get("service") not in scripts:
            yield domain, "service", f"{domain.inputs.get('service')} is no Worker of the stack"


AGREEMENTS = (
    settings_exist, names_lead_to_the_site, everything_is_about_the_site, one_zone_and_account,
    the_worker_fits,
)  # fmt: skip
