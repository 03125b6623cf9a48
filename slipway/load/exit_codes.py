"""How a load run ends, by exit code; 0 to 4 mean what they mean for every command of slipway."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from slipway.errors import SlipwayError


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


class TargetRefused(SlipwayError):
    """The target cannot be reached, or lets no load in."""

    exit_code: ClassVar[int] = int(ExitCode.REFUSED)
