"""The policy rules, asked of the program before the engine may act: nothing severe is ever made."""

from __future__ import annotations

from slipway.settings.errors import BadInput
from slipway.settings.project import Project

STOPS = ("critical", "high")
"""Severities that stop an update; the policy pack's are the same (infra/policies/pack_rules.py)."""


def refuse_broken_rules(project: Project) -> int:
    """How many rules were asked of the stack's program. BadInput names what breaks one that stops.

    The program runs without engine, network or credentials, as for `slipway infra check`; some 10 s.
    """
    from infra.policies import RULES, World, judge  # noqa: PLC0415 - with the group infra only
    from infra.recording import record  # noqa: PLC0415

    graph = record(project.root, project.stack.name)
    found = [
        each for each in judge(World(graph, project.stack.purpose), RULES) if each.rule.severity in STOPS
    ]
    if found:
        raise BadInput(
            f"{len(found)} findings of the policy rules are severe, so nothing was made",
            details=[f"{each.rule.id} {each.where}: {each.problem}: {each.rule.remedy}" for each in found],
            remedy=f"see slipway infra check --stack {project.stack.name}",
        )
    return len(RULES)
