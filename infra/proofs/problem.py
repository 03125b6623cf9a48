"""A problem that a proof finds in a recorded graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra.recording.graph import Resource

Proof = Literal["grammar", "reachability", "agreement"]


@dataclass(frozen=True)
class Problem:
    """What is wrong, where, and who says so."""

    proof: Proof
    resource: Resource | None
    """None: the stack as a whole."""
    path: str
    """The input, `tags.Name`; empty: the resource as a whole."""
    problem: str
    source: str
    """Page of AWS's documentation, model or file that the problem rests on."""

    @property
    def where(self) -> str:
        """`aws:ec2/securityGroup:SecurityGroup edge-group: description`"""
        name = self.resource.where if self.resource else "the stack"
        return f"{name}: {self.path}" if self.path else name

    def __str__(self) -> str:
        return f"{self.proof}: {self.where}: {self.problem} [{self.source}]"

    def as_json(self) -> dict[str, str]:
        """For `slipway infra check --json`."""
        return {
            "proof": self.proof, "resource": self.where, "problem": self.problem, "source": self.source,
        }  # fmt: skip
