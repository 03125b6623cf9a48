"""How bad it is that a property differs from what the program says. One table, read from its top."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from slipway.platforms.aws.pulumi.stateful import STATEFUL

Severity = Literal["high", "medium", "low"]
ORDER: tuple[Severity, ...] = ("high", "medium", "low")


@dataclass(frozen=True)
class Rule:
    """The first rule whose patterns match a resource's token and a property's path decides."""

    token: str
    path: str
    severity: Severity
    why: str


RULES: tuple[Rule, ...] = (
    Rule(r".", r"^(tags|tagsAll|labels|description|comment)\b", "low", "does nothing by itself"),
    Rule(r"slipway:Fleet$", r"^states\b", "high", "a host does not run"),
    Rule(r"[sS]ecurityGroup|networkAcl|NetworkAcl", r".", "high", "who may connect"),
    Rule(r"[pP]ublicAccessBlock|[oO]wnershipControls|bucketAcl", r".", "high", "who may read the bucket"),
    Rule(r"[pP]olicy|^aws:iam/|[rR]olePolicy", r".", "high", "who may do what"),
    Rule(r".", r"[pP]olicy|[pP]rincipal|[pP]ermission|assumeRole", "high", "who may do what"),
    Rule(r".", r"publiclyAccessible|associatePublicIp|public(Read|Access)", "high", "open to the internet"),
    Rule(r".", r"cidr|ipv[46]|prefixList|sourceSecurityGroup", "high", "who may connect"),
    Rule(r".", r"[eE]ncrypt|kmsKey|transitEncryption|sse[A-Z]|httpTokens", "high", "encryption or its key"),
    Rule(r".", r"deletionProtection|skipFinalSnapshot|forceDestroy|backupRetention", "high", "data may go"),
    Rule(r"lb/listener|lb/trustStore|acm/", r".", "high", "how the site is reached and proves itself"),
    Rule(r"wafv2|webAcl|cloudflare:index/ruleset", r".", "high", "what is let in"),
    Rule(r"cloudflare:index/zoneSetting", r".", "high", "how Cloudflare reaches the origin"),
    Rule(r"cloudtrail|flowLog|[aA]larm|budgets", r".", "medium", "something happens and nobody sees it"),
    Rule(r"autoscaling/group", r"^(desiredCapacity|instances)\b", "low", "scaling moves it"),
)


def severity(token: str, path: str) -> tuple[Severity, str]:
    """How bad a difference in `path` of a resource of this type is, and why."""
    for rule in RULES:
        if re.search(rule.token, token) and re.search(rule.path, path):
            return rule.severity, rule.why
    return "medium", "differs from the program"


def severity_of_loss(token: str) -> tuple[Severity, str]:
    """How bad it is that a resource is gone."""
    if token in STATEFUL:
        return "high", f"gone, and with it {STATEFUL[token]}"
    found, why = severity(token, "id")
    return ("high", f"gone: {why}") if found == "high" else ("medium", "gone")
