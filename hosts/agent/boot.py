"""Boot: start a staged release in the idle slot and wait until it is ready."""

from __future__ import annotations

import os
import time

from . import builds, haproxy, signature, systemd
from .errors import AgentError, Interrupted
from .handover import finish_interrupted
from .host import Host, Paths
from .json_object import JsonObject
from .ready import start_ready
from .state import Exclusive, Process, Slot, State, order_of


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `boot`. Workers without `overlap` are not started here: the switch starts them."""
    begun = time.monotonic()
    release = request.whole("release")
    with Exclusive(paths, "boot", order_of(request)) as state:
        finish_interrupted(paths, host, state)
        slot = state.holding(release)
        if slot is None:
            raise AgentError("not_staged", f"release {release} is in no slot of {host.name}")
        starting = [
            process for process in slot.processes.values() if process.name == "web" or process.overlap
        ]
        if slot.name == state.active or (slot.state in ("booted", "warm") and _running(slot, starting)):
            return {"slot": slot.name, "seconds": 0.0, "started": []}
        if not os.path.isdir(paths.slot(slot.name)):
            raise AgentError("not_staged", f"release {release} has no files in slot {slot.name}")
        signature.check(paths, host, state, slot)
        _refuse_altered(paths, state, slot)
        _boot(paths, host, state, slot, starting)
        return {
            "slot": slot.name,
            "seconds": round(time.monotonic() - begun, 3),
            "started": [unit for process in starting for unit in process.units(slot.name)],
        }


def _refuse_altered(paths: Paths, state: State, slot: Slot) -> None:
    """Start nothing but what was released. Staging the release again replaces what was changed here."""
    error = builds.damage(paths, slot.build)
    if error is None:
        return
    slot.become("failed")
    slot.error = error.brief()
    state.save()
    raise error


def _boot(paths: Paths, host: Host, state: State, slot: Slot, starting: list[Process]) -> None:
    try:
        start_ready(paths, slot, starting)
        if host.serves and slot.web:
            haproxy.mark_up(paths, slot.name, slot.web.instances)
    except (AgentError, Interrupted) as error:
        # Whoever interrupted it waits for the lock, and drains the slot itself.
        systemd.stop(systemd.slot_units(slot.name), block=isinstance(error, AgentError))
        systemd.forget_failures(systemd.slot_units(slot.name))
        slot.become("failed")
        if isinstance(error, AgentError):
            slot.error = error.brief()
        state.save()
        raise
    slot.become("booted")
    state.save()


def _running(slot: Slot, processes: list[Process]) -> bool:
    units = [unit for process in processes for unit in process.units(slot.name)]
    return all(unit.active == "active" for unit in systemd.show(units).values())
