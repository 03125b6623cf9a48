"""Cloudflare's zone before a first `up`: rulesets that it has already, and how to take them over."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from slipway.platforms.aws.data_logins import API, API_TOKEN
from slipway.settings import BadInput, Stack

PHASES = {
    "http_request_firewall_managed": "front-rules-managed",
    "http_ratelimit": "front-rules-limit",
    "http_request_cache_settings": "front-rules-cache",
}
"""Phases of which the program makes a ruleset, and the resource's logical name. A zone has one of each phase,
and Cloudflare refuses a second (pulumi/pulumi-cloudflare#782)."""
OWN = "slipway "
"""The name of every ruleset that the program makes begins so."""
_SECONDS = 10


def refuse_foreign_rulesets(stack: Stack, environment: Mapping[str, str], api: str = API) -> None:
    """BadInput, with the import of each, if the zone has rulesets that another hand made.

    Nothing is asked without a token, or if the stack does not manage its zone.
    """
    cloudflare, token = stack.cloudflare, environment.get(API_TOKEN)
    if cloudflare is None or not cloudflare.manage_zone or not token:
        return
    found = [
        f"{name}: pulumi import cloudflare:index/ruleset:Ruleset {name} zones/{cloudflare.zone}/{each['id']} "
        f"--stack {stack.name} --protect=false"
        for each in _rulesets(f"{api}/zones/{cloudflare.zone}/rulesets", token)
        for name in (PHASES.get(str(each.get("phase"))),)
        if name and each.get("kind") == "zone" and not str(each.get("name", "")).startswith(OWN)
    ]
    if found:
        raise BadInput(
            f"Cloudflare's zone {cloudflare.zone_name} has {len(found)} rulesets that this stack would make,"
            " so nothing was made",
            details=found,
            remedy="import them, and the next `up` brings their rules in line; or delete them; or set"
            " slipway:cloudflare.manage_zone: false",
        )


def _rulesets(url: str, token: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return list(json.load(answer)["result"])
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"Cloudflare does not list the zone's rulesets: {error}",
            remedy=f"may the token in {API_TOKEN} read them, and is slipway:cloudflare.zone right?",
        ) from None
