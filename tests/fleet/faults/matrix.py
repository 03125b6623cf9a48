"""The matrix: which fault strikes at which moment, and how the command and the fleet must come out of it."""

import os
import time
from dataclasses import dataclass
from typing import Literal

from tests.fleet.faults import moments, strikes
from tests.fleet.faults.moments import Moment
from tests.fleet.faults.strikes import Fault

KILLED = (-9,)
DONE, UNDONE, FENCED = (0,), (1,), (3,)


@dataclass(frozen=True)
class Cell:
    """One fault at one moment."""

    fault: Fault
    moment: Moment
    exits: tuple[int, ...]
    """Exit codes that the command may end with."""
    serves: Literal["old", "new", "either"]
    """Which release serves after the next command: the one from before, or the command's own."""
    hosts_stay_up: bool = True
    """Do all live hosts, and what they need, stay up? Then no request may be lost and no socket cut."""
    then: Literal["release", "rollback", ""] = ""
    """A command that must succeed after `status`; none: the next cell's own command shows that."""
    takes_long: bool = False
    """Only where all cells run?"""

    @property
    def id(self) -> str:
        return f"{self.fault.name} at {self.moment.name}"


MATRIX = (
    # The command is killed.
    Cell(strikes.SIGKILL, moments.STAGE, KILLED, "old"),
    Cell(strikes.SIGKILL, moments.BOOT, KILLED, "old"),
    Cell(strikes.SIGKILL, moments.SMOKE, KILLED, "old", then="release"),
    Cell(strikes.SIGKILL, moments.MIGRATE, KILLED, "old"),
    Cell(strikes.SIGKILL, moments.SWITCH, KILLED, "old"),
    Cell(strikes.SIGKILL, moments.HANDOVER, KILLED, "old", then="rollback"),
    Cell(strikes.SIGKILL, moments.OBSERVE, KILLED, "old"),
    Cell(strikes.SIGKILL, moments.PROMOTE, KILLED, "either", then="release"),
    Cell(strikes.SIGKILL, moments.WARM_SWITCH, KILLED, "either"),
    Cell(strikes.SIGKILL, moments.COLD_STAGE, KILLED, "old"),
    Cell(strikes.SIGKILL, moments.COLD_BOOT, KILLED, "old"),
    Cell(strikes.SIGKILL, moments.COLD_SMOKE, KILLED, "either", then="rollback"),
    Cell(strikes.TWICE, moments.SWITCH, KILLED, "old"),
    Cell(strikes.IN_ITS_UNDO, moments.HANDOVER, KILLED, "old"),
    # It is interrupted, or stands still.
    Cell(strikes.CTRL_C, moments.BOOT, UNDONE, "old"),
    Cell(strikes.CTRL_C, moments.SWITCH, UNDONE, "old"),
    Cell(strikes.CTRL_C, moments.HANDOVER, UNDONE, "old"),
    Cell(strikes.CTRL_C, moments.OBSERVE, UNDONE, "old", then="release"),
    Cell(strikes.CTRL_C, moments.COLD_BOOT, UNDONE, "old"),
    Cell(strikes.SIGTERM, moments.SWITCH, UNDONE, "old"),
    Cell(strikes.SIGTERM, moments.PROMOTE, (0, 1), "either"),
    Cell(strikes.STOPPED, moments.SWITCH, DONE, "new"),
    Cell(strikes.STOPPED_LONG, moments.OBSERVE, FENCED, "old"),
    # A host that serves cannot be reached, or its agent dies.
    Cell(strikes.SSH_CUT, moments.BOOT, DONE, "new"),
    Cell(strikes.SSH_RESET, moments.BOOT, UNDONE, "old"),
    Cell(strikes.SSH_GONE, moments.BOOT, (4,), "old", takes_long=True),
    Cell(strikes.STANDS_STILL, moments.SWITCH, DONE, "new"),
    Cell(strikes.WEB_AGENT, moments.BOOT, UNDONE, "old"),
    Cell(strikes.WORKER_AGENT, moments.HANDOVER, UNDONE, "old"),
    Cell(strikes.HAPROXY_RELOAD, moments.SWITCH, DONE, "new"),
    Cell(strikes.EDGE_RELOAD, moments.SWITCH, DONE, "new"),
    Cell(strikes.DISK_FULL, moments.BEFORE_STAGE, UNDONE, "old"),
    # What the command needs is away, or wrong.
    Cell(strikes.BUCKET_AWAY, moments.STAGE, (0, 1), "either"),
    Cell(strikes.BUCKET_AWAY, moments.PROMOTE, (0, 1, 4), "either"),
    Cell(strikes.CLOCK_FAST, moments.OBSERVE, DONE, "new"),
    Cell(strikes.CLOCK_SLOW, moments.OBSERVE, DONE, "new"),
    Cell(strikes.SECOND_RELEASE, moments.BOOT, DONE, "new"),
    Cell(strikes.ROLLBACK, moments.OBSERVE, FENCED, "old"),
    # A host or a service that users need goes down: their losses are counted, and all is well afterwards.
    Cell(strikes.WORKER_RESTART, moments.HANDOVER, (0, 1, 4), "either"),
    Cell(strikes.WEB_RESTART, moments.BOOT, UNDONE, "old", hosts_stay_up=False),
    Cell(strikes.WEB_RESTART, moments.OBSERVE, (0, 1), "either", hosts_stay_up=False),
    Cell(strikes.HAPROXY_KILL, moments.OBSERVE, (0, 1), "either", hosts_stay_up=False),
    Cell(strikes.EDGE_RESTART, moments.SWITCH, (0, 1), "either", hosts_stay_up=False),
    Cell(strikes.DATA_RESTART, moments.OBSERVE, (0, 1, 4), "either", hosts_stay_up=False),
    Cell(strikes.REDIS_AWAY, moments.SMOKE, (0, 1, 4), "either", hosts_stay_up=False),
    Cell(strikes.POSTGRES_AWAY, moments.OBSERVE, (0, 1, 4), "either", hosts_stay_up=False),
    Cell(strikes.POWER_CUT, moments.OBSERVE, (0, 1, 4), "either", hosts_stay_up=False, takes_long=True),
)  # fmt: skip

WHICH = "SLIPWAY_MATRIX"
SHARES = 3


def share_of_today() -> str:
    """`all`, or `1/3`, `2/3`, `3/3`: as SLIPWAY_MATRIX says, by default by the day of the year."""
    day = time.gmtime().tm_yday
    return os.environ.get(WHICH) or f"{day % SHARES + 1}/{SHARES}"


def chosen(share: str) -> list[Cell]:
    """The cells that a run of `share` has."""
    if share == "all":
        return list(MATRIX)
    number, of = (int(part) for part in share.split("/"))
    short = [cell for cell in MATRIX if not cell.takes_long]
    return short[number - 1 :: of]
