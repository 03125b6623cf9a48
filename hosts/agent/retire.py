"""Retire: drain the slot that is no longer live; and `stop`, which empties the slot of an undone release.

slipway-retire.timer runs `retire` every minute without any argument (timer.py). While processes drain the
lock is free: a release can go on meanwhile.
"""

from __future__ import annotations

import time

from . import drain
from .errors import AgentError
from .fields import Fields
from .host import Host
from .paths import Paths
from .settle import settle
from .slot import Slot
from .state import Exclusive, State


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:
    """See docs/agent.md, `retire`."""
    if not request.raw and not _due(State.load(paths), request):
        return {"slots": [], "drained_seconds": 0.0}
    begun = time.monotonic()
    fence = request.whole("fence") if request.has("fence") else None
    with Exclusive(paths, "retire", fence) as state:
        settle(paths, host, state)
        slots = [slot.name for slot in _due(state, request)]
        for name in slots:
            drain.begin(state, name)
    if request.flag("wait", True):
        for name in slots:
            drain.wait(name)
        _empty(paths, host, slots)
    return {"slots": slots, "drained_seconds": round(time.monotonic() - begun, 3)}


def stop(paths: Paths, host: Host, request: Fields) -> dict[str, object]:
    """See docs/agent.md, `stop`."""
    release = request.whole("release")
    with Exclusive(paths, "stop", request.whole("fence")) as state:
        settle(paths, host, state)
        slot = state.holding(release)
        if slot is None:
            return {"slot": None, "drained_seconds": 0.0}
        return {"slot": slot.name, "drained_seconds": drain.drain(paths, host, state, slot.name)}


def _due(state: State, request: Fields) -> list[Slot]:
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


def _empty(paths: Paths, host: Host, slots: list[str]) -> None:
    """Unless a release has taken the slot over meanwhile."""
    if not slots:
        return
    with Exclusive(paths, "retire") as state:
        for name in slots:
            if state.slots[name].state == "draining":
                drain.finish(paths, host, state, name)
