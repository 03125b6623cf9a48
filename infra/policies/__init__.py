"""Rules that a stack must keep, each with the control it answers; judged on a recorded graph or by Pulumi.

Offline: `slipway infra check --stack prod`. As a pulumi-policy pack: `infra/policies/pack/`.
"""

from infra.policies.judge import Finding, judge
from infra.policies.rule import Rule, World
from infra.policies.rules import RULES

__all__ = ["RULES", "Finding", "Rule", "World", "judge"]
