"""Cloudflare's firewall, rate limit and cache rules.

One stack of each zone makes them: a zone has one ruleset for each phase.
"""

from dataclasses import dataclass

import pulumi
import pulumi_cloudflare as cloudflare

from infra.cloudflare import EVERY_PATH

MANAGED = "efb7b8c949ac4650a09736fc376e9aee"
"""Id of the Cloudflare Managed Ruleset, the same in every account (Pro plan or higher)."""
_STATIC = ("css", "gif", "ico", "jpg", "jpeg", "js", "mjs", "png", "svg", "webp", "woff", "woff2")
_PERIOD = 10
"""Seconds for which requests are counted, and then blocked: available on every plan."""


@dataclass(frozen=True)
class RulesetsArgs:
    """The zone, the domain and the limit."""

    zone: str
    domain: str
    requests_per_10_seconds: int
    managed_rules: bool
    by_path_only: bool = False
    """Is the zone on the free plan, whose rate rules know the path and nothing else?"""


class Rulesets(pulumi.ComponentResource):
    """Cloudflare's managed rules, a rate limit for each client address, and a cache for static files (I13).

    They apply to the domain and the names below it, so that a preview beside prod has them too.
    """

    def __init__(self, name: str, args: RulesetsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:cloudflare:Rulesets", name, None, opts)
        self._name, self._args = name, args
        ours = hosts_expression(args.domain)
        if args.managed_rules:
            self._ruleset("managed", "http_request_firewall_managed", [_managed(ours)])
        limited = EVERY_PATH if args.by_path_only else ours
        self._ruleset("limit", "http_ratelimit", [_limit(limited, args.requests_per_10_seconds)])
        # If two cache rules match, the later one decides.
        self._ruleset("cache", "http_request_cache_settings", [_pass(ours), _keep(args.domain)])
        self.register_outputs({})

    def _ruleset(self, what: str, phase: str, rules: list[cloudflare.RulesetRuleArgs]) -> None:
        cloudflare.Ruleset(
            f"{self._name}-{what}",
            zone_id=self._args.zone,
            kind="zone",
            name=f"slipway {what}",
            phase=phase,
            rules=rules,
            opts=pulumi.ResourceOptions(parent=self),
        )


def hosts_expression(domain: str) -> str:
    """Expression: requests to the domain or a name below it."""
    return f'(http.host eq "{domain}" or ends_with(http.host, ".{domain}"))'


def static_expression(domain: str) -> str:
    """Expression: requests that read a static file, by its extension, but not below /api."""
    extensions = " ".join(f'"{each}"' for each in _STATIC)
    return (
        f'{hosts_expression(domain)} and http.request.method in {{"GET" "HEAD"}}'
        f' and not starts_with(http.request.uri.path, "/api/")'
        f" and http.request.uri.path.extension in {{{extensions}}}"
    )


def _managed(ours: str) -> cloudflare.RulesetRuleArgs:
    return cloudflare.RulesetRuleArgs(
        ref="managed",
        description="Cloudflare Managed Ruleset",
        expression=ours,
        action="execute",
        action_parameters=cloudflare.RulesetRuleActionParametersArgs(id=MANAGED),
        enabled=True,
    )


def _limit(ours: str, requests: int) -> cloudflare.RulesetRuleArgs:
    return cloudflare.RulesetRuleArgs(
        ref="limit",
        description="Requests per client address",
        expression=ours,
        action="block",
        ratelimit=cloudflare.RulesetRuleRatelimitArgs(
            # Requests are counted in each data centre, so the colo must be a characteristic.
            characteristics=["cf.colo.id", "ip.src"],
            period=_PERIOD,
            requests_per_period=requests,
            mitigation_timeout=_PERIOD,
        ),
        enabled=True,
    )


def _pass(ours: str) -> cloudflare.RulesetRuleArgs:
    return cloudflare.RulesetRuleArgs(
        ref="pass",
        description="Responses of the app are never cached",
        expression=ours,
        action="set_cache_settings",
        action_parameters=cloudflare.RulesetRuleActionParametersArgs(cache=False),
        enabled=True,
    )


def _keep(domain: str) -> cloudflare.RulesetRuleArgs:
    # The app's headers decide how long. Without them nothing is cached: releases must not mix.
    by_header = cloudflare.RulesetRuleActionParametersEdgeTtlArgs(mode="bypass_by_default")
    browser = cloudflare.RulesetRuleActionParametersBrowserTtlArgs(mode="respect_origin")
    return cloudflare.RulesetRuleArgs(
        ref="keep",
        description="Static files from the cache",
        expression=static_expression(domain),
        action="set_cache_settings",
        action_parameters=cloudflare.RulesetRuleActionParametersArgs(
            cache=True, edge_ttl=by_header, browser_ttl=browser, respect_strong_etags=True
        ),
        enabled=True,
    )
