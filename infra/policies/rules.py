"""All rules, in the order in which a stack is built."""

from __future__ import annotations

from infra.policies import (
    account,
    cache,
    database,
    edge,
    firewall,
    hosts,
    identity,
    listeners,
    load_balancer,
    network,
    separation,
    state,
    storage,
    vault,
)
from infra.policies.rule import Rule

RULES: tuple[Rule, ...] = (
    *account.RULES,
    *network.RULES,
    *hosts.RULES,
    *firewall.RULES,
    *load_balancer.RULES,
    *listeners.RULES,
    *database.RULES,
    *cache.RULES,
    *storage.RULES,
    *vault.RULES,
    *identity.RULES,
    *separation.RULES,
    *edge.RULES,
    *state.RULES,
)


def rule_named(id_: str) -> Rule:
    """The rule with this id. Raises KeyError."""
    for each in RULES:
        if each.id == id_:
            return each
    raise KeyError(id_)
