"""All rules, in the order in which a stack is built."""

from __future__ import annotations

from infra.policies import account, cache, database, edge, identity, load_balancer, network, state, storage
from infra.policies.rule import Rule

RULES: tuple[Rule, ...] = (
    *account.RULES,
    *network.RULES,
    *load_balancer.RULES,
    *database.RULES,
    *cache.RULES,
    *storage.RULES,
    *identity.RULES,
    *edge.RULES,
    *state.RULES,
)


def rule_named(id_: str) -> Rule:
    """The rule with this id. Raises KeyError."""
    for each in RULES:
        if each.id == id_:
            return each
    raise KeyError(id_)
