"""How a load run ends, by exit code; 0 to 4 mean what they mean for every command of slipway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import ClassVar

from slipway.load.finding import Finding
from slipway.load.samples import Cell, Key
from slipway.settings.errors import SlipwayError


class ExitCode(IntEnum):
    """What a CI job can tell apart."""

    PASSED = 0
    MISSED = 1
    BAD_INPUT = 2
    NO_DATA = 5
    GENERATOR = 6
    REFUSED = 7

    @property
    def meaning(self) -> str:
        """In words."""
        return MEANINGS[self]


MEANINGS = {
    ExitCode.PASSED: "every threshold is met",
    ExitCode.MISSED: "a threshold is missed",
    ExitCode.BAD_INPUT: "the settings or the command line refuse this run; nothing was sent",
    ExitCode.NO_DATA: "no data, or too little of it for a verdict: nothing is proved",
    ExitCode.GENERATOR: "the load generator was saturated or lost a worker: the numbers tell of it alone",
    ExitCode.REFUSED: "the target refused every request or could not be reached",
}


def exit_code_of(findings: Sequence[Finding], cells: Mapping[Key, Cell]) -> ExitCode:
    """The first that fits: what makes the rest of the findings worth nothing comes before them."""
    if not cells:
        return ExitCode.NO_DATA
    if all(cell.good.count == 0 for cell in cells.values()):
        return ExitCode.REFUSED
    failed = [each for each in findings if each.verdict == "fail"]
    if any(each.kind == "generator" for each in failed):
        return ExitCode.GENERATOR
    if failed:
        return ExitCode.MISSED
    proved = any(each.verdict == "pass" and each.kind not in {"", "generator"} for each in findings)
    if not proved or any(each.verdict == "no data" for each in findings):
        return ExitCode.NO_DATA
    return ExitCode.PASSED


class TargetRefused(SlipwayError):
    """The target cannot be reached, or lets no load in."""

    exit_code: ClassVar[int] = int(ExitCode.REFUSED)
