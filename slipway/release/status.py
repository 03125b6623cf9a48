"""Status: what serves where; what a killed command left behind is finished or undone first."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from slipway.fleet.fleet import FleetError, answers
from slipway.fleet.replies import CronRun, Killed, Slot, Status
from slipway.progress import Progress
from slipway.release.protocol import is_astray, view
from slipway.release.recover import recover
from slipway.release.rollout import open_rollout
from slipway.stack import LiveStack
from slipway.storage.hold import Hold, read_holds
from slipway.storage.lease import LeaseRecord, read_lease
from slipway.storage.records import Release


@dataclass(frozen=True)
class Seen:
    """What was seen of a stack."""

    stack: str
    url: str
    live: Release | None
    unfinished: Release | None
    lease: LeaseRecord | None
    statuses: Mapping[str, Status]
    recovered: str | None = None
    unreachable: dict[str, str] = field(default_factory=dict[str, str])
    absent: Mapping[str, str] = field(default_factory=dict[str, str])
    """By name, instances that cannot be worked with (still starting, or leaving), and why."""
    holds: Sequence[Hold] = ()
    """What keeps releases from the stack."""

    @property
    def headline(self) -> str:
        """One line: what serves."""
        if self.live is None:
            return f"{self.stack}: nothing is live at {self.url} yet"
        git = f", git {self.live.source}" if self.live.source else ""
        build = self.live.build[:13]
        return f"{self.stack}: release {self.live.number} (build {build}{git}) is live at {self.url}"

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """One row for each slot of each host."""
        rows = [
            (
                name,
                status.role,
                colour,
                str(slot.release or "-"),
                (slot.build or "-")[:13],
                slot.state,
                _processes(slot),
            )
            for name, status in self.statuses.items()
            for colour, slot in status.slots.items()
            if slot.state != "empty" or not any(other.state != "empty" for other in status.slots.values())
        ]
        return rows + [
            (name, "-", "-", "-", "-", "unreachable", why) for name, why in self.unreachable.items()
        ]

    @property
    def notes(self) -> list[str]:
        """Further lines: the lease, what is under way, instances that are no hosts."""
        notes: list[str] = []
        if self.recovered:
            notes.append(f"recovered: {self.recovered}")
        if self.lease is not None:
            notes.append(f"lease: held by {self.lease.owner} ({self.lease.command})")
        if self.unfinished is not None:
            notes.append(f"release {self.unfinished.number} is under way")
        notes += [f"held {hold}" for hold in self.holds]
        notes += [f"{name}: {why}" for name, why in self.absent.items()]
        for host, status in self.statuses.items():
            notes += [f"{host}: {_cron_note(name, run, time.time())}" for name, run in status.cron.items()]
            notes += [f"{host}: {was_killed(process, killed)}" for process, killed in status.killed.items()]
        return notes

    def as_json(self) -> dict[str, object]:
        return {
            "stack": self.stack,
            "url": self.url,
            "live": self.live.number if self.live else None,
            "build": self.live.build if self.live else None,
            "git_sha": self.live.git_sha if self.live else None,
            "unfinished": self.unfinished.number if self.unfinished else None,
            "lease": {"owner": self.lease.owner, "command": self.lease.command} if self.lease else None,
            "recovered": self.recovered,
            "holds": [hold.model_dump(mode="json", exclude={"lifted_by"}) for hold in self.holds],
            "hosts": [
                {
                    "host": name,
                    "role": status.role,
                    "active": _slot_json(status, status.active),
                    "idle": _slot_json(status, status.idle),
                    "disk_free": status.disk.free,
                    "cron": {name: run and run.model_dump() for name, run in status.cron.items()},
                    "killed": {name: killed.model_dump() for name, killed in status.killed.items()},
                }
                for name, status in self.statuses.items()
            ],
            "unreachable": self.unreachable,
            "absent": dict(self.absent),
        }


def was_killed(process: str, killed: Killed) -> str:
    """That a process had to be killed, and what to do."""
    return (
        f"{process} of release {killed.release} did not end within {killed.seconds:g} s of {killed.signal},"
        f" and was killed with the work it was at; let it end on {killed.signal}, or change stop_signal or"
        f" drain_seconds of processes.{process}"
    )


def _cron_note(name: str, run: CronRun | None, now: float) -> str:
    """`cron tick: failed 2 min ago: POST /tick answered 500`."""
    if run is None:
        return f"cron {name}: has not run yet"
    ago = f"{_span(now - (run.ended or run.begun))} ago"
    if run.ended is None:
        return f"cron {name}: began {ago}, and has not ended"
    if run.failure:
        return f"cron {name}: failed {ago}: {run.failure}"
    return f"cron {name}: ran {ago}, in {run.ended - run.begun:.1f} s"


def _span(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def look(stack: LiveStack, progress: Progress, *, wait_seconds: float = 0) -> Seen:
    """Look at the stack. If no command holds the lease, finish or undo what a killed one left."""
    statuses, failures = answers(stack.statuses)
    unfinished = stack.ledger.unfinished()
    lease = read_lease(stack.bucket, stack.outputs.stack)
    recovered, live = None, stack.ledger.head().live
    is_open = unfinished is not None or any(is_astray(view(each), live) for each in statuses.values())
    if is_open and (lease is None or wait_seconds > 0):
        with stack.lease(wait_seconds) as held, suppress(FleetError):  # unreachable hosts are shown below
            recovered = recover(open_rollout(stack, held, progress, stack.statuses)).what
        statuses, failures = answers(stack.statuses)
        unfinished, lease = stack.ledger.unfinished(), None
    live = stack.ledger.live()
    return Seen(
        stack=stack.outputs.stack,
        url=stack.outputs.url,
        live=live,
        unfinished=unfinished,
        lease=lease,
        statuses=statuses,
        recovered=recovered,
        unreachable={name: str(why) for name, why in failures.items()},
        absent=stack.absent,
        holds=read_holds(stack.bucket, stack.outputs.stack).standing(live.number if live else None),
    )


def _slot_json(status: Status, colour: str | None) -> dict[str, object] | None:
    slot = status.slots.get(colour or "")
    if slot is None or slot.state == "empty":
        return None
    running = all(unit.active == "active" for units in slot.processes.values() for unit in units)
    return {
        "slot": colour,
        "release": slot.release,
        "build": slot.build,
        "state": slot.state,
        "running": running,
    }


def _processes(slot: Slot) -> str:
    return ", ".join(
        f"{name}×{len(units)} {'ok' if all(unit.active == 'active' for unit in units) else units[0].active}"  # noqa: RUF001
        for name, units in slot.processes.items()
    )
