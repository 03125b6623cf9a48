"""Draining a slot: `retire` does so when its hold time is over, `stop` when its release was undone.

slipway-retire.timer runs `retire` every minute without an argument. It reads from state.json what is due, so
a reboot changes nothing. While processes drain the lock is free, so that a release can go on.
"""

from __future__ import annotations

import os
import time

from . import accounts, durable, envfile, haproxy, systemd
from .errors import AgentError
from .handover import finish_interrupted, take_back_from
from .host import Host, Paths
from .json_object import JsonObject
from .state import Exclusive, Slot, State, order_of
from .stopping import note_killed

_TIMER = "slipway-retire.timer"
TIMER_FILES = {
    _TIMER: """\
[Unit]
Description=slipway: look for a slot whose hold time is over

[Timer]
OnActiveSec=1min
OnUnitInactiveSec=1min
AccuracySec=5s
""",
    "slipway-retire.service": """\
[Unit]
Description=slipway: drain the slot whose hold time is over

[Service]
Type=oneshot
ExecStart=/usr/local/bin/slipway-agent retire
StandardInput=null
StandardOutput=null
SyslogIdentifier=slipway-agent
TimeoutStartSec=infinity
""",
}


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `retire`."""
    if not request.raw and not _due(State.load(paths), request):
        return {"slots": [], "drained_seconds": 0.0}
    begun = time.monotonic()
    order = order_of(request) if request.has("fence") else None
    with Exclusive(paths, "retire", order) as state:
        finish_interrupted(paths, host, state)
        slots = [slot.name for slot in _due(state, request)]
        for name in slots:
            begin_drain(state, name)
    if request.flag("wait", True):
        for name in slots:
            wait_until_stopped(name)
        _empty_drained(paths, host, slots)
    return {"slots": slots, "drained_seconds": round(time.monotonic() - begun, 3)}


def stop(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `stop`."""
    release = request.whole("release")
    with Exclusive(paths, "stop", order_of(request)) as state:
        if not take_back_from(paths, host, state, release):
            finish_interrupted(paths, host, state)
        slot = state.holding(release)
        if slot is None:
            return {"slot": None, "drained_seconds": 0.0}
        return {"slot": slot.name, "drained_seconds": drain(paths, host, state, slot.name)}


def _due(state: State, request: JsonObject) -> list[Slot]:
    wanted = request.text("slot", state.idle)
    if wanted not in state.slots:
        raise AgentError("bad_request", f"slot: must be blue or green, got {wanted!r}")
    slot = state.slots[wanted]
    if slot.state == "draining":
        return [slot]
    if request.flag("now") and slot.state != "empty":
        return [slot]
    if slot.state == "warm" and slot.retire_at is not None and slot.retire_at <= time.time():
        return [slot]
    return []


def _empty_drained(paths: Paths, host: Host, slots: list[str]) -> None:
    """Empty the slots, unless a release has taken one over meanwhile."""
    if not slots:
        return
    with Exclusive(paths, "retire") as state:
        for name in slots:
            if state.slots[name].state == "draining":
                empty(paths, host, state, name)


def begin_drain(state: State, slot: str) -> None:
    """Send the stop signals and return. The live slot is never drained."""
    if slot == state.active:
        raise AgentError("is_live", f"slot {slot} serves release {state.slots[slot].release}")
    state.slots[slot].become("draining")
    state.save()
    systemd.stop(systemd.slot_units(slot), block=False)


def wait_until_stopped(slot: str) -> None:
    """Return when every unit of `slot` has stopped; systemd kills each one when its drain time is over."""
    systemd.stop(systemd.slot_units(slot))


def empty(paths: Paths, host: Host, state: State, slot: str) -> None:
    """Mark a stopped slot as empty, and remove its secrets from the disk."""
    record = state.slots[slot]
    note_killed(state, record, record.processes.values())
    systemd.forget_failures(systemd.slot_units(slot))
    if host.serves:
        haproxy.mark_down(paths, slot)
    envfile.remove_slot(paths, slot)
    accounts.set_aside_homes(paths, slot)
    durable.unlink(paths.slot(slot))
    record.processes, record.cron, record.migrate, record.secret_names = {}, {}, {}, []
    record.become("empty")
    state.save()


def drain(paths: Paths, host: Host, state: State, slot: str) -> float:
    """Stop and empty the slot with the lock held; returns the seconds it took."""
    begun = time.monotonic()
    begin_drain(state, slot)
    wait_until_stopped(slot)
    empty(paths, host, state, slot)
    return round(time.monotonic() - begun, 3)


def ensure_timer(paths: Paths) -> None:
    """Install and start the timer if it is absent or of another version; `restore` starts it at boot."""
    os.makedirs(paths.units, exist_ok=True)
    stale = [name for name, text in TIMER_FILES.items() if durable.read(paths.unit(name)) != text.encode()]
    for name in stale:
        durable.write(paths.unit(name), TIMER_FILES[name].encode(), 0o644)
    if stale:
        systemd.reload()
        systemd.start([_TIMER])


def start_timer(paths: Paths) -> None:
    """Start the timer if it is installed."""
    if os.path.exists(paths.unit(_TIMER)):
        systemd.start([_TIMER])
