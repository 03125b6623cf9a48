"""The policy rules: every control of slipway.settings.controls, checked on a recorded graph or by Pulumi.

Offline: `slipway infra check --stack prod`. As a CrossGuard pack: `infra/policies/pack/`.
"""

from infra.policies import account, data, iam, site
from infra.policies.rule import PolicyViolation, Rule, World, judge, rule_of
from slipway.settings.controls import CONTROLS

__all__ = ["RULES", "PolicyViolation", "Rule", "World", "judge"]

ALONE = {**account.ALONE, **site.ALONE, **data.ALONE, **iam.ALONE}
TOGETHER = {**account.TOGETHER, **site.TOGETHER, **data.TOGETHER, **iam.TOGETHER}
"""The functions of rules that a predicate on one input cannot express, by the control's id."""

RULES: tuple[Rule, ...] = tuple(rule_of(each, ALONE, TOGETHER) for each in CONTROLS if each.on)
