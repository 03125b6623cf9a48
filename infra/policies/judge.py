"""Judges a stack by the rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from infra.policies.rule import Rule, Severity, World

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


@dataclass(frozen=True)
class Finding:
    """One rule, broken by one resource."""

    rule: Rule
    urn: str
    where: str
    """`aws:s3/bucket:Bucket uploads-bucket`"""
    problem: str

    def __str__(self) -> str:
        controls = ", ".join(self.rule.controls)
        return f"{self.rule.severity}: {self.where}: {self.problem} [{self.rule.id}; {controls}]"

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "rule": self.rule.id,
            "controls": list(self.rule.controls),
            "severity": self.rule.severity,
            "says": self.rule.says,
            "urn": self.urn,
            "resource": self.where,
            "problem": self.problem,
            "remedy": self.rule.remedy,
        }


def judge(world: World, rules: Iterable[Rule]) -> list[Finding]:
    """Every breach, the worst first."""
    found = [
        Finding(rule, resource.urn, resource.where, problem)
        for rule in rules
        for resource in world.graph
        if rule.applies(resource, world)
        for problem in rule.judge(resource, world)
    ]
    return sorted(found, key=lambda each: (SEVERITIES.index(each.rule.severity), each.rule.id, each.urn))
