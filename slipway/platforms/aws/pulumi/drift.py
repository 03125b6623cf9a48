"""Drift: what in the cloud is not as the last update left it, and how bad that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.platforms.aws.pulumi.open import open_stack, told
from slipway.platforms.aws.pulumi.property_difference import HIDDEN, differing, holds_secret
from slipway.platforms.aws.pulumi.severity import ORDER, Severity, severity, severity_of_loss
from slipway.platforms.aws.pulumi.step import step_of, unread
from slipway.progress import Progress
from slipway.settings.errors import NeedsPerson
from slipway.settings.project import Project

if TYPE_CHECKING:
    from pulumi.automation.events import EngineEvent, StepEventMetadata

ODD: tuple[Severity, str] = ("low", "differs in nothing that the engine shows")


@dataclass(frozen=True)
class Difference:
    """One property of one resource; or the resource, if it is gone."""

    severity: Severity
    urn: str
    name: str
    type: str
    path: str
    """Empty: the whole resource."""
    was: str
    """As the last update left it, shortened, secrets blotted out."""
    found: str
    """As it is now."""
    why: str


def drift(project: Project, progress: Progress) -> list[Difference]:
    """Ask the cloud for every resource and compare; the worst first. Changes nothing, not even the state."""
    stack = open_stack(project, progress, make=False)
    events: list[EngineEvent] = []
    with progress.phase("refresh"), told("looking for drift"):
        result = stack.preview_refresh(on_event=events.append, color="never")
    steps = [step_of(metadata, logical=True) for metadata in _ended(events)]
    odd = unread(steps, {str.__str__(op): number for op, number in (result.change_summary or {}).items()})
    if odd:
        raise NeedsPerson(
            f"what the engine found could not be read in full ({', '.join(odd)})",
            remedy="use a Pulumi CLI and a Python package pulumi of about the same version",
        )
    return differences(events)


def differences(events: Iterable[EngineEvent]) -> list[Difference]:
    """What the events of a refresh tell of, the worst first. Pure."""
    found = [each for metadata in _ended(events) for each in _of(metadata)]
    return sorted(found, key=lambda each: (ORDER.index(each.severity), each.urn, each.path))


def _ended(events: Iterable[EngineEvent]) -> list[StepEventMetadata]:
    return [event.res_outputs_event.metadata for event in events if event.res_outputs_event is not None]


def _of(told_of: StepEventMetadata) -> list[Difference]:
    name = told_of.urn.rpartition("::")[2]
    if told_of.op.value == "delete":
        level, why = severity_of_loss(told_of.type)
        return [Difference(level, told_of.urn, name, told_of.type, "", "there", "gone", why)]
    if told_of.op.value != "update" or told_of.old is None or told_of.new is None:
        return []
    given = told_of.old.inputs or {}
    found: list[Difference] = []
    for path, was, now in differing(told_of.old.outputs or {}, told_of.new.outputs or {}):
        level, why = severity(told_of.type, path)
        if level == "medium" and path.partition(".")[0].partition("[")[0] not in given:
            level, why = "low", "the program does not set it"
        found.append(Difference(level, told_of.urn, name, told_of.type, path, was, now, why))
    if not found:
        # The engine blots secrets out before it tells, so all that is left is that something differs.
        level, why = ("high", "a secret value differs") if holds_secret(told_of.old.outputs) else ODD
        found.append(Difference(level, told_of.urn, name, told_of.type, "", HIDDEN, HIDDEN, why))
    return found
