"""Restore: after a reboot, serve again what was served before, without a command from the pipeline."""

from __future__ import annotations

import sys

from . import accounts, builds, cron, handover, haproxy, retire, systemd, units
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import Exclusive, State


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
    """Start the live and the warm slot and finish a handover that was interrupted. Safe at any time."""
    with Exclusive(paths, "restore") as state:
        # Something may have been released while the host was down: `converge` finds out.
        state.unreleased = False
        _reset_stopped(state)
        _condemn_altered(paths, state)
        if host.serves:
            haproxy.write_map(paths, haproxy.wanted(state))
        _renew_units(paths, state)
        started = _units_to_run(state)
        systemd.start(started, block=False)
        if host.serves:
            _update_haproxy(paths, state)
        cron.start(paths)
        retire.start_timer(paths)
        if state.handover:  # last: a command may interrupt it
            handover.finish(paths, host, state)
        cron.sync(paths, state)
        live = state.live
        return {
            "active": state.active,
            "release": live.release if live else None,
            "started": started,
        }


def _reset_stopped(state: State) -> None:
    """A slot that was booted when the host went down is only staged now, because its processes ended."""
    for slot in state.slots.values():
        running = any(unit.active == "active" for unit in systemd.show(slot.units()).values())
        if slot.state == "booted" and not running:
            slot.become("staged")
    state.save()


def _condemn_altered(paths: Paths, state: State) -> None:
    """A warm build that was changed here is not started: going back to it stages it again.

    The live one is started all the same, since users have no other.
    """
    for slot in state.slots.values():
        error = builds.damage(paths, slot.build) if slot.state in ("live", "warm") else None
        if error is None:
            continue
        print(error.message, file=sys.stderr, flush=True)
        if slot.state == "warm":
            slot.become("failed")
        slot.error = error.brief()
        state.save()


def _renew_units(paths: Paths, state: State) -> None:
    """A host that was rebuilt around its old disks lacks the accounts, and an older agent wrote its units."""
    for slot in state.slots.values():
        if slot.state in ("live", "warm"):
            accounts.ensure(slot.processes)
            units.write_slot(paths, slot)


def _units_to_run(state: State) -> list[str]:
    """Web processes of the live and the warm slot; workers of the live one, unless a handover is open."""
    units: list[str] = []
    for slot in state.slots.values():
        if slot.state in ("live", "warm") and slot.web:
            units += slot.web.units(slot.name)
    if state.live and not state.handover:
        units += [unit for process in state.live.workers for unit in process.units(state.live.name)]
    return units


def _update_haproxy(paths: Paths, state: State) -> None:
    """HAProxy may start later; it then reads the map file, which is right already."""
    try:
        haproxy.apply(paths, state)
    except AgentError as error:
        if error.code != "haproxy":
            raise
