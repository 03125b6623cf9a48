"""The protocol: what a release, its undo and its recovery decide, from what ledger and hosts say. Pure.

Phases bring a release forward, all hosts together. Every other way, back or to the end of what another
command began, each host goes by itself: `next_task` is asked again after each task, until it names none. A
record is closed only if that is so on every host. What a command meant to do plays no part.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from slipway.fleet.replies import SlotState, Status
from slipway.storage.records import Release

Task = Literal["stage", "boot", "smoke", "switch", "restart", "stop"]
"""What a host does with the goal's release; `restart` stops and empties its slot, so that it is staged again;
`stop` empties the slot of the goal's `gone` release."""


Where = Literal["all", "web", "workers"]
_PROVED: tuple[tuple[Task, Where], ...] = (("stage", "all"), ("boot", "all"), ("smoke", "web"))
ROUNDS: Mapping[str, tuple[tuple[Task, Where], ...]] = {
    "release": (*_PROVED, ("switch", "web"), ("switch", "workers")),
    "cold rollback": (*_PROVED, ("switch", "all")),
    "rollback": (("switch", "all"),),
}
"""The way forward: a round is asked of its hosts all at once; the next begins when all have done it."""


@dataclass(frozen=True)
class SlotView:
    """A slot that is not empty, as its host says."""

    release: int
    state: SlotState
    is_up: bool = True
    """Does a server in it pass HAProxy's health check? True on hosts without traffic."""


@dataclass(frozen=True)
class HostView:
    """What one host says of itself."""

    is_web: bool
    slots: tuple[SlotView, ...] = ()
    serves: int | None = None
    """The release in its active slot."""
    goes_to: int | None = None
    """The release that an open handover of workers leads to."""

    def holding(self, release: int | None) -> SlotView | None:
        """The slot that holds `release`."""
        return next((slot for slot in self.slots if slot.release == release), None)

    def can_serve(self, release: int) -> bool:
        """Would a switch to `release` give users what was proved, this very moment?"""
        slot = self.holding(release)
        return slot is not None and slot.state in ("live", "warm") and not self._is_worse(slot)

    def _is_worse(self, slot: SlotView) -> bool:
        """Is the slot down while the one that serves is up?"""
        active = self.holding(self.serves)
        return not slot.is_up and (active is None or active.is_up)

    def asks_for_restart(self, slot: SlotView) -> bool:
        """Do the slot's processes run without being of any use?"""
        return self.is_web and self._is_worse(slot)


def view(status: Status) -> HostView:
    """What a host's `status` says."""
    up = status.haproxy.up if status.haproxy else {}
    slots = {
        name: SlotView(slot.release, slot.state, up.get(name, 1) > 0)
        for name, slot in status.slots.items()
        if slot.release is not None and slot.state != "empty"
    }
    handover = status.handover or {}
    leads = slots.get(str(handover.get("from" if handover.get("phase") == "undoing" else "to")))
    active = slots.get(status.active or "")
    return HostView(
        is_web=status.haproxy is not None,
        slots=tuple(slots.values()),
        serves=active.release if active else None,
        goes_to=leads.release if leads else None,
    )


@dataclass(frozen=True)
class Goal:
    """What a stack is to be once a record is closed."""

    release: int
    """The release that serves; 0: none."""
    gone: int | None = None
    """The release of which no host keeps anything."""
    keeps_warm: bool = False
    """May a slot that holds `gone` and was live before stay warm until its hold ends?"""


def next_task(goal: Goal, host: HostView, done: Collection[Task] = ()) -> Task | None:
    """What `host` has to do next towards `goal`; None: nothing. `done`: its tasks so far.

    A host that serves nothing is not brought along: it is new, and starts what its boot document names.
    """
    if goal.release == 0:
        if host.serves is not None or host.goes_to is not None:
            return "switch"
    elif host.serves not in (None, goal.release) or host.goes_to is not None:
        return _towards(goal.release, host, done)
    gone = host.holding(goal.gone)
    if gone is None or goal.gone == host.serves or (goal.keeps_warm and gone.state == "warm"):
        return None
    return "stop"


def _towards(release: int, host: HostView, done: Collection[Task]) -> Task:
    slot = host.holding(release)
    if slot is None or slot.state in ("empty", "failed", "draining"):
        return "stage"
    if slot.state == "staged":
        return "boot"
    if host.serves != release and host.asks_for_restart(slot) and "restart" not in done:
        return "restart"
    if slot.state == "booted" and host.is_web and "smoke" not in done:
        return "smoke"
    return "switch"


def is_reached(goal: Goal, hosts: Iterable[HostView]) -> bool:
    """Is nothing left to do? Only then a record may be closed."""
    return all(next_task(goal, host) is None for host in hosts)


def is_astray(host: HostView, live: int | None) -> bool:
    """Does the host serve, or go to, another release than the one that the ledger names as live?"""
    return (host.goes_to or host.serves) not in (None, live)


@dataclass(frozen=True)
class Way:
    """How an unfinished record is brought to its end."""

    goal: Goal
    is_forward: bool
    """Is the record's own work finished, and not undone?"""


def way_back(record: Release, live: int | None) -> Way:
    """Undo a record: `live`, which the head names, is known to be good.

    A rollback's target was good before: where its slot is still warm, it stays warm. A rollback to `live` had
    stopped a release that was under way: that one goes, however far the rollback came.
    """
    if record.kind == "rollback":
        gone = record.gone if record.target == live else record.target
        return Way(Goal(live or 0, gone=gone, keeps_warm=True), is_forward=False)
    return Way(Goal(live or 0, gone=record.number), is_forward=False)


def way_out(record: Release, live: int | None, hosts: Collection[HostView]) -> Way:
    """Decide between finishing and undoing what another command left.

    A release that the head does not name is undone. A rollback is finished if its target serves somewhere, or
    can serve everywhere this very moment; otherwise it had only begun to start the target, and is undone.
    """
    target = record.target if record.kind == "rollback" else None
    if target is None:
        return way_back(record, live)
    has_begun = target == live or any(target in (host.serves, host.goes_to) for host in hosts)
    if has_begun or (hosts and all(host.can_serve(target) for host in hosts)):
        return Way(Goal(target, gone=record.gone, keeps_warm=True), is_forward=True)
    return way_back(record, live)


def users_have(record: Release, hosts: Iterable[HostView]) -> bool:
    """Has a release that is under way been switched to, by its record or anywhere on a host?"""
    switched = any(record.number in (host.serves, host.goes_to) for host in hosts)
    return switched or "switch" in record.progress.done


def what_serves(
    live: int | None, before: int | None, hosts: Mapping[str, HostView], silent: Collection[str] = ()
) -> str:
    """In a sentence: what serves at this moment, by the ledger's head (`live`) and by what each host says.

    `before`: what the head named when the command began; `silent`: hosts that did not answer.
    """
    more = f" No answer from {', '.join(silent)}." if silent else ""
    for name, host in hosts.items():
        if host.serves not in (None, live) and host.goes_to == live:
            more += f" {name} still finishes jobs of release {host.serves}."
    astray = {name: host for name, host in hosts.items() if is_astray(host, live)}
    named = f"release {live}" if live else "no release"
    if astray:
        served = {name: host.serves for name, host in hosts.items() if host.serves is not None}
        by_release = {
            number: [name for name, serves in served.items() if serves == number]
            for number in sorted(set(served.values()))
        }
        parts = [f"release {number} serves on {', '.join(names)}" for number, names in by_release.items()]
        parts += [
            f"{name} hands over to release {host.goes_to}" for name, host in astray.items() if host.goes_to
        ]
        return f"The hosts differ: {'; '.join(parts)}. The ledger names {named} as live.{more}"
    when = "as before" if live == before else "now"
    where = f" on {', '.join(hosts)}" if silent else ""
    if silent and not hosts:
        return f"No host said what it serves. The ledger names {named} as live."
    return (f"Release {live} serves {when}{where}." if live else f"The stack serves nothing {when}.") + more
