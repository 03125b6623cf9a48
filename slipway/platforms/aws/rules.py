"""The policy rules, checked before the engine acts: it never makes what a critical or high rule forbids."""

from __future__ import annotations

from slipway.settings.controls import STOPPING
from slipway.settings.errors import BadInput
from slipway.settings.project import Project


def refuse_broken_rules(project: Project) -> int:
    """The number of rules that the stack's program keeps. BadInput names the violations that stop an update.

    The program runs without engine, network or credentials, as for `slipway infra check`; about 10 s.
    """
    from infra.policies import RULES, World, judge  # noqa: PLC0415 - with the group infra only
    from infra.recording import record  # noqa: PLC0415

    graph = record(project.root, project.stack.name)
    found = [
        each
        for each in judge(World(graph, project.stack.purpose), RULES)
        if each.control.severity in STOPPING
    ]
    if found:
        raise BadInput(
            f"{len(found)} policy violations are critical or high, so nothing was made",
            details=[
                f"{each.control.id} {each.where}: {each.problem}: {each.control.what_to_do}" for each in found
            ],
            remedy=f"see slipway infra check --stack {project.stack.name}",
        )
    return len(RULES)
