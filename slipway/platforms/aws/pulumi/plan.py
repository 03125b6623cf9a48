"""A plan: the steps of one preview, and the digest by which an approval knows it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from slipway.platforms.aws.pulumi.step import IDLE, Step


@dataclass(frozen=True)
class Plan:
    """What an update of a stack would do."""

    project: str
    stack: str
    steps: tuple[Step, ...]
    file: Path | None = None
    """The engine's own record of it, to which the update is held."""

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.op not in IDLE)

    @property
    def digest(self) -> str:
        """64 hex characters of what would change, from what to what; the same on every machine."""
        changes = sorted(
            [step.op, step.urn, step.id, step.was_protected, step.is_protected, *_properties(step)]
            for step in self.changes
        )
        document = {"project": self.project, "stack": self.stack, "changes": changes}
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

    @property
    def summary(self) -> str:
        """`3 to create, 1 to update`, or `nothing to change`."""
        counts = Counter(step.op for step in self.changes if step.logical and not step.is_default_provider)
        return ", ".join(f"{counts[op]} to {op}" for op in sorted(counts)) or "nothing to change"


def _properties(step: Step) -> list[object]:
    return [list(step.keys), list(step.diffs), step.inputs]
