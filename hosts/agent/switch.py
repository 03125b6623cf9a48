"""Switch: make a booted or warm release the live one, forward or back.

Web hosts: state.json first, then HAProxy's map. A kill in between leaves both slots running and the intent
on the disk; the next command (or `restore`) makes HAProxy follow. Workers: see handover.py.
"""

from __future__ import annotations

import time

from . import handover, haproxy, signature
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import Exclusive, Slot, State, interrupt_handover, order_of

SEEN_SECONDS = 2.0
"""How long HAProxy may take to notice a server that has just come up; it checks every 200 ms."""


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `switch`."""
    release, order = request.whole("release"), order_of(request)
    interrupt_handover(paths, order)
    with Exclusive(paths, "switch", order) as state:
        handover.finish_interrupted(paths, host, state, keep_handover=True)
        before = state.live.release if state.live else None
        if request.has("cron_owner"):
            _own_cron(state, request)
        begun = time.perf_counter()
        if release == 0:
            _go_dark(paths, host, state)
            return {"slot": None, "from": before, "to": 0, "switched_ms": _since(begun), "handover": None}
        slot = state.holding(release)
        if slot is None:
            raise AgentError("not_warm", f"release {release} is in no slot of {host.name}")
        signature.admit_again(paths, host, state, slot, request)
        if state.handover:
            _redirect(paths, host, state, slot, wait=request.flag("wait", True))
        elif slot.name != state.active:
            hold, back = request.number("hold_seconds", 3600), request.flag("back")
            _switch(paths, host, state, slot, hold=hold, back=back)
        took = _since(begun)
        if state.handover:
            _hand_over(paths, host, state, wait=request.flag("wait", True))
        _move_cron(paths, state)
        return {
            "slot": slot.name,
            "from": before,
            "to": release,
            "switched_ms": took,
            "handover": state.handover,
            "not_ready": slot.error.get("message"),
        }


def _own_cron(state: State, request: JsonObject) -> None:
    """Store which kinds of cron entries this host owns. Saved at once: the release may be live already."""
    kinds = request.texts("cron_kinds") or ["path", "command"]
    kinds = kinds if request.flag("cron_owner") else []
    if kinds != state.cron_kinds:
        state.cron_kinds = kinds
        state.save()


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 3)


def _go_dark(paths: Paths, host: Host, state: State) -> None:
    """Release 0 means none: a host's first release is undone."""
    if state.handover:
        handover.take_back(paths, host, state)
    live = state.live
    if live is None:
        return
    live.become("booted")
    state.active, state.cron_kinds = None, []
    state.save()
    if host.serves:
        haproxy.apply(paths, state)
    if live.workers:
        from . import systemd

        systemd.stop([unit for process in live.workers for unit in process.units(live.name)])
    _move_cron(paths, state)


def _switch(paths: Paths, host: Host, state: State, slot: Slot, *, hold: float, back: bool) -> None:
    """`back`: the release was live before, and needs no more health than the one that it replaces."""
    if not _can_take_over(slot):
        raise AgentError("not_warm", f"release {slot.release} is {slot.state} in slot {slot.name}")
    if host.serves and slot.web:
        _refuse_down(paths, slot, state.live if back else None)
    old = state.live
    if slot.workers or (old and old.workers):
        state.handover = {
            "from": old.name if old else None,
            "to": slot.name,
            "phase": "stopping",
            "since": time.time(),
            "hold_seconds": hold,
            "back": back,
        }
    if host.serves or not state.handover:
        _flip(paths, host, state, slot, hold)
    else:
        state.save()


def _can_take_over(slot: Slot) -> bool:
    """Whether the slot was proved here, or only its workers failed, which the handover tries again.

    A worker fails with whatever it needs, such as Redis during a restart: that must not bar its release for
    good.
    """
    if slot.state != "failed":
        return slot.state in ("booted", "warm")
    if slot.web is None:
        return True
    from . import systemd

    return all(unit.active == "active" for unit in systemd.show(slot.web.units(slot.name)).values())


def _flip(paths: Paths, host: Host, state: State, slot: Slot, hold: float) -> None:
    old, was = state.live, slot.state
    state.make_live(slot, hold)
    state.save()
    if not host.serves:
        return
    try:
        haproxy.apply(paths, state)
    except AgentError:
        state.active, state.handover = (old.name if old else None), None
        slot.become(was)
        if old:
            old.become("live")
        state.save()
        raise


def _refuse_down(paths: Paths, slot: Slot, replaced: Slot | None) -> None:
    """Raises `not_warm` unless HAProxy sees a server of the slot as up within SEEN_SECONDS.

    If the slot that it replaces is down too, users lose nothing by going back.
    """
    deadline = time.monotonic() + SEEN_SECONDS
    while True:
        rows = haproxy.stat(paths)
        if haproxy.is_up(rows, slot.name) or (replaced and not haproxy.is_up(rows, replaced.name)):
            return
        if time.monotonic() >= deadline:
            raise AgentError("not_warm", f"no server of release {slot.release} in slot {slot.name} is up")
        time.sleep(0.02)


def _redirect(paths: Paths, host: Host, state: State, slot: Slot, *, wait: bool) -> None:
    """Take an unfinished handover back unless it leads to `slot`; `wait`: until its workers have stopped."""
    if state.handover and state.handover.get("to") != slot.name:
        take_back = handover.take_back if wait else handover.begin_to_take_back
        take_back(paths, host, state)


def _hand_over(paths: Paths, host: Host, state: State, *, wait: bool) -> None:
    if wait:
        handover.finish(paths, host, state)
    else:
        handover.in_background()


def _move_cron(paths: Paths, state: State) -> None:
    if state.cron_kinds or _has_timers(paths):
        from . import cron

        cron.sync(paths, state)


def _has_timers(paths: Paths) -> bool:
    import os

    return any(name.startswith("slipway-cron-") for name in os.listdir(paths.units))
