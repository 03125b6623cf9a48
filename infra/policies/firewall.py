"""The firewall before the load balancer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from infra.policies.entries import entries
from infra.policies.load_balancer import LB
from infra.policies.rule import World, at, made, rule, world
from infra.recording.graph import Resource

ACL = "aws:wafv2/webAcl:WebAcl"
ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"

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


RULES = [behind_firewall, limits_rates]
