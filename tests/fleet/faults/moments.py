"""Moments at which faults strike: the command that runs, and the progress line that says it is there."""

from dataclasses import dataclass
from typing import Literal

RELEASE = ("release", "--json", "--no-checks", "--no-prove", "--observe")


@dataclass(frozen=True)
class Moment:
    """`needs`: what hosts must hold before a rollback begins."""

    name: str
    line: str
    args: tuple[str, ...] = (*RELEASE, "0")
    needs: Literal["", "warm", "cold"] = ""

    @property
    def command(self) -> str:
        return self.args[0]


STAGE = Moment("stage", r"stage +…")
BEFORE_STAGE = Moment("stage", r"publish +…")
"""After preflight has looked at the hosts: what strikes now is there when the release is staged."""
BOOT = Moment("boot", r"boot +…")
SMOKE = Moment("smoke", r"smoke +…")
MIGRATE = Moment("migrate", r"migrate +\S+: running migrations", (*RELEASE, "0", "--migrate"))
SWITCH = Moment("switch", r"switch +…")
HANDOVER = Moment("handover of the workers", r"switch +\S+: handing over")
OBSERVE = Moment("observe", r"observe +all: ", (*RELEASE, "6"))
PROMOTE = Moment("promote", r"promote +…")

COLD = ("rollback", "--json")
COLD_STAGE = Moment("cold rollback: stage", STAGE.line, COLD, "cold")
COLD_BOOT = Moment("cold rollback: boot", BOOT.line, COLD, "cold")
COLD_SMOKE = Moment("cold rollback: smoke", SMOKE.line, COLD, "cold")
WARM_SWITCH = Moment("warm rollback: switch", SWITCH.line, ("rollback", "--json"), "warm")
