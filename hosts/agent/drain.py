"""Empty a slot: its processes get their stop signal and their drain time, then its secrets leave the disk."""

from __future__ import annotations

import time

from . import durable, envfile, haproxy, systemd
from .errors import AgentError
from .host import Host
from .paths import Paths
from .state import State


def begin(state: State, slot: str) -> None:
    """Send the stop signals and return; `finish` waits. The live slot is never drained."""
    if slot == state.active:
        raise AgentError("is_live", f"slot {slot} serves release {state.slots[slot].release}")
    state.slots[slot].become("draining")
    state.save()
    systemd.stop(systemd.slot_units(slot), block=False)


def wait(slot: str) -> None:
    """Return when every unit of `slot` has stopped; each is killed when its own drain time is over."""
    systemd.stop(systemd.slot_units(slot))


def finish(paths: Paths, host: Host, state: State, slot: str) -> None:
    """Make a stopped slot empty."""
    systemd.forget_failures(systemd.slot_units(slot))
    if host.serves:
        haproxy.mark_down(paths, slot)
    envfile.remove_slot(paths, slot)
    durable.unlink(paths.slot(slot))
    record = state.slots[slot]
    record.processes, record.cron, record.migrate, record.secret_names = {}, {}, {}, []
    record.become("empty")
    state.save()


def drain(paths: Paths, host: Host, state: State, slot: str) -> float:
    """All three in one, with the lock held; seconds it took."""
    begun = time.monotonic()
    begin(state, slot)
    wait(slot)
    finish(paths, host, state, slot)
    return round(time.monotonic() - begun, 3)
