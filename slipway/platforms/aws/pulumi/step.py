"""Steps: what the engine is going to do, or did, to one resource. Read from its events; pure."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.automation.events import EngineEvent, StepEventMetadata

DESTROYING = frozenset(
    {"delete", "delete-replaced", "replace", "create-replacement", "import-replacement", "read-replacement"}
    | {"discard", "discard-replaced", "remove-pending-replace"}
)
"""Operations after which the resource that was there is not there any more."""
IDLE = frozenset({"same", "read", "refresh"})
"""Operations that change nothing in the cloud."""


@dataclass(frozen=True)
class Step:
    """One operation on one resource."""

    op: str
    urn: str
    type: str
    """Token: `aws:rds/instance:Instance`."""
    id: str = ""
    """Of the resource that is there before, as its provider calls it."""
    was_protected: bool = False
    is_protected: bool = False
    custom: bool = True
    """A real resource; components are not."""
    logical: bool = True
    """A replacement is one logical step, and two or three that carry it out."""
    keys: tuple[str, ...] = ()
    """Properties that make it a replacement."""
    diffs: tuple[str, ...] = ()
    """Properties that change."""
    inputs: str = ""
    """Digest of what it is to become; secret values are blotted out before."""

    @property
    def name(self) -> str:
        """The logical name: the end of the URN."""
        return self.urn.rpartition("::")[2]

    @property
    def destroys(self) -> bool:
        """Does it end what is there?"""
        return self.op in DESTROYING

    @property
    def is_default_provider(self) -> bool:
        """One that the engine makes by itself, and does not count."""
        return self.type.startswith("pulumi:providers:") and self.name.startswith("default")


def read_steps(events: Iterable[EngineEvent]) -> tuple[Step, ...]:
    """The steps in a preview's events, in the engine's order."""
    return tuple(
        step_of(event.resource_pre_event.metadata) for event in events if event.resource_pre_event is not None
    )


def step_of(told: StepEventMetadata, *, logical: bool = False) -> Step:
    """One step, of what an event tells of it. In a refresh every step counts as `logical`."""
    changed = {*(told.diffs or ()), *(told.detailed_diff or {})}
    inputs: Mapping[str, object] = (told.new.inputs if told.new else None) or {}
    return Step(
        op=told.op.value,
        urn=told.urn,
        type=told.type,
        id=told.old.id if told.old else "",
        was_protected=bool(told.old and told.old.protect),
        is_protected=bool(told.new and told.new.protect),
        custom=any(state is not None and bool(state.custom) for state in (told.old, told.new)),
        logical=logical or bool(told.logical),
        keys=tuple(sorted(told.keys or ())),
        diffs=tuple(sorted(changed)),
        inputs=hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest(),
    )


def unread(steps: Sequence[Step], counted: Mapping[str, int]) -> list[str]:
    """Operations of which the engine counted another number than was read: nothing may be judged then.

    The Automation API drops an event that it cannot parse, with no more than a warning.
    """
    read = Counter(step.op for step in steps if step.logical and not step.is_default_provider)
    told = dict(counted)
    return sorted(op for op in {*read, *told} - IDLE if read[op] != told.get(op, 0))
