"""Stopping processes of a slot, and noting which of them did not end on their stop signal."""

from __future__ import annotations

import time
from collections.abc import Iterable

from . import systemd
from .state import Process, Slot, State


def stop(state: State, slot: Slot, processes: Iterable[Process]) -> None:
    """Stop the units of `processes` and note in `state`, which the caller saves, those that were killed."""
    processes = list(processes)
    systemd.stop([unit for process in processes for unit in process.units(slot.name)])
    note_killed(state, slot, processes)


def note_killed(state: State, slot: Slot, processes: Iterable[Process]) -> None:
    """Note in `state` which of the stopped `processes` systemd had to kill, when their drain time was over.

    A process that ends as it should clears what was noted of it. Must come before failures are reset.
    """
    processes = list(processes)
    units = systemd.show([unit for process in processes for unit in process.units(slot.name)])
    for process in processes:
        killed = sum(units[unit].killed for unit in process.units(slot.name) if unit in units)
        state.killed.pop(process.name, None)
        if killed:
            state.killed[process.name] = {
                "release": slot.release,
                "instances": killed,
                "signal": process.stop_signal,
                "seconds": process.drain_seconds,
                "at": round(time.time(), 3),
                "fence": state.order[0],
            }
