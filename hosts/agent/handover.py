"""Handover: the old release's workers finish their jobs and stop, then the new release's workers start.

Both never run together, unless a process says `overlap`. Every step is recorded in state.json before it is
taken: a killed handover is finished by the next command or at boot, and a failed one starts the old workers
again.
"""

from __future__ import annotations

import os
import time

from . import haproxy, program, systemd
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import Exclusive, Process, Slot, State
from .stopping import stop


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
    """Finish the handover recorded in state.json, if any. Run by the transient unit slipway-handover-*."""
    with Exclusive(paths, "handover", wait=60) as state:
        if state.handover:
            finish(paths, host, state)
        return {"active": state.active}


def in_background() -> None:
    """Start a separate unit for the handover; it begins when this command has released the lock."""
    done = program.run(
        "systemd-run", "--quiet", "--collect", "--no-block", f"--unit=slipway-handover-{os.getpid()}",
        "--property=SyslogIdentifier=slipway-agent",
        "/usr/local/bin/slipway-agent", "handover",
    )  # fmt: skip
    if done.code:
        raise AgentError("systemd", f"systemd-run slipway-handover: {done.err}")


def finish_interrupted(paths: Paths, host: Host, state: State, *, keep_handover: bool = False) -> None:
    """Make HAProxy follow state.json, and finish a handover that a killed command left unfinished.

    Every command that changes the host calls this first.
    """
    if host.serves:
        haproxy.apply(paths, state)
    if state.handover and not keep_handover:
        finish(paths, host, state)


def finish(paths: Paths, host: Host, state: State) -> None:
    """Complete the handover; if the new workers fail, start the old ones again and raise the failure.

    On the way back it is completed all the same: a service that both releases need may be away, and systemd
    starts the workers again until they run. Their failure is kept in the slot's `error`.
    """
    from .ready import start_ready  # imports http.client, which a switch without workers does without

    new, old, hold = _parties(state)
    if state.handover and state.handover.get("phase") == "undoing":
        if new.error:
            _undo(paths, host, state, old, new)
        else:
            take_back(paths, host, state)
        return
    failure: dict[str, object] = {}
    try:
        _stop(state, old, [process for process in old.workers if not process.overlap] if old else [])
        _phase(state, "starting")
        start_ready(paths, new, new.workers)
    except AgentError as error:
        failure = error.brief()
        if not JsonObject(state.handover, "state.handover").flag("back"):
            new.error = failure
            _undo(paths, host, state, old, new)
            new.become("failed")
            new.error = failure
            state.save()
            raise
    _stop(state, old, [process for process in old.workers if process.overlap] if old else [])
    if state.active != new.name:
        state.make_live(new, hold)
    state.handover, new.error = None, failure
    state.save()


def take_back_from(paths: Paths, host: Host, state: State, release: int) -> bool:
    """Take back a handover that leads to `release`, which is to be stopped; False if there is none."""
    if not state.handover or _parties(state)[0].release != release:
        return False
    if host.serves:
        haproxy.apply(paths, state)
    take_back(paths, host, state)
    return True


def begin_to_take_back(paths: Paths, host: Host, state: State) -> None:
    """Users reach the old release again; `finish` does the rest, which may wait for jobs."""
    new, old, _ = _parties(state)
    _phase(state, "undoing")
    _route_back(paths, host, state, old, new)


def take_back(paths: Paths, host: Host, state: State) -> None:
    """Start the old release's workers again; the new release stays warm."""
    new, old, hold = _parties(state)
    _undo(paths, host, state, old, new)
    new.become("warm", retire_at=time.time() + hold)
    state.save()


def _undo(paths: Paths, host: Host, state: State, old: Slot | None, new: Slot) -> None:
    _phase(state, "undoing")
    _route_back(paths, host, state, old, new)
    stop(state, new, new.workers)
    if old:
        systemd.forget_failures([unit for process in old.workers for unit in process.units(old.name)])
        systemd.start([unit for process in old.workers for unit in process.units(old.name)])
    new.become("failed" if new.error else "booted")
    state.handover = None
    state.save()


def _route_back(paths: Paths, host: Host, state: State, old: Slot | None, new: Slot) -> None:
    """Users first: workers may take as long as their jobs to stop and to start again."""
    if state.active == new.name:
        state.active = old.name if old else None
    if old:
        old.become("live")
    state.save()
    if host.serves:
        haproxy.apply(paths, state)


def _parties(state: State) -> tuple[Slot, Slot | None, float]:
    fields = JsonObject(state.handover, "state.handover")
    old = state.slots[fields.text("from")] if fields.has("from") else None
    return state.slots[fields.text("to")], old, fields.number("hold_seconds", 3600)


def _phase(state: State, phase: str) -> None:
    if state.handover and state.handover.get("phase") != phase:
        state.handover["phase"] = phase
        state.save()


def _stop(state: State, slot: Slot | None, processes: list[Process]) -> None:
    if slot:
        stop(state, slot, processes)
