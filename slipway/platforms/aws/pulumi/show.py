"""Tells of an update while it runs: a line for each resource that is begun, done or failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from slipway.platforms.aws.pulumi.step import IDLE
from slipway.progress import Progress

if TYPE_CHECKING:
    from pulumi.automation.events import EngineEvent

_COLOURS = re.compile(r"<\{%[^%]*%\}>")


class Show:
    """A callback for the engine's events; keeps its errors."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.errors: list[str] = []
        self.done = 0

    def __call__(self, event: EngineEvent) -> None:
        """Tell of one event."""
        if (begun := event.resource_pre_event) and begun.metadata.op.value not in IDLE:
            self._progress.host(_name(begun.metadata.urn), f"{begun.metadata.op.value} …")
        if (ended := event.res_outputs_event) and ended.metadata.op.value not in IDLE:
            self.done += 1
            self._progress.host(_name(ended.metadata.urn), f"{ended.metadata.op.value} done")
        if failed := event.res_op_failed_event:
            self._progress.host(_name(failed.metadata.urn), f"{failed.metadata.op.value} failed")
        if (told := event.diagnostic_event) and not told.ephemeral:
            text = _COLOURS.sub("", told.message).strip()
            if told.severity == "error":
                self.errors.append(text)
            if text:
                self._progress.line(text)


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
