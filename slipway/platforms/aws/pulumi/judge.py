"""Judges a plan: which of its steps may not be taken, and why. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from slipway.platforms.aws.pulumi.stateful import lost_with
from slipway.platforms.aws.pulumi.step import Step


@dataclass(frozen=True)
class Refusal:
    """A resource that the plan would destroy."""

    urn: str
    name: str
    what: str
    """`replace`, `delete`."""
    why: str
    approvable: bool
    """May a signed approval allow it? An unprotection in the same update it may not."""


def judge(steps: Sequence[Step], approved: Collection[str] = ()) -> list[Refusal]:
    """What is refused of a plan, given the URNs that an approval of this very plan names."""
    refused: dict[str, Refusal] = {}
    # The logical step first: its word for what happens is the one a person knows.
    for step in sorted(steps, key=lambda step: not step.logical):
        refusal = _judge(step) if step.urn not in refused else None
        if refusal and not (refusal.approvable and step.urn in approved):
            refused[step.urn] = refusal
    return sorted(refused.values(), key=lambda refusal: refusal.urn)


def _judge(step: Step) -> Refusal | None:
    if not step.destroys or not step.custom:
        return None
    what = "delete" if step.op.startswith(("delete", "discard", "remove")) else "replace"
    because = f" (changed: {', '.join(step.keys)})" if step.keys else ""
    if step.was_protected:
        why = f"it is protected, and would lose its protection and be gone in one update{because}"
        return Refusal(step.urn, step.name, what, why, approvable=False)
    lost = lost_with(step.type)
    if lost:
        return Refusal(step.urn, step.name, what, f"with it goes {lost}{because}", approvable=True)
    return None
