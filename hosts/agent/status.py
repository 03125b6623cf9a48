"""Status: what this host runs, in one look. Changes nothing and takes no lock."""

from __future__ import annotations

import os

from . import PROTOCOL, VERSION, durable, haproxy, systemd
from .errors import AgentError
from .fields import Fields
from .host import Host
from .paths import Paths
from .slot import Slot
from .state import State


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `status`."""
    state = State.load(paths)
    units = systemd.show([unit for slot in state.slots.values() for unit in slot.units()])
    return {
        "protocol": PROTOCOL,
        "version": VERSION,
        "host": host.name,
        "role": host.role,
        "stack": host.stack,
        "fence": state.fence,
        "active": state.active,
        "idle": state.idle,
        "slots": {name: _slot(slot, units) for name, slot in state.slots.items()},
        "handover": state.handover,
        "cron_kinds": state.cron_kinds,
        "disk": _disk(paths),
        "setup_digest": (durable.read(paths.setup_digest) or b"").decode().strip() or None,
        "haproxy": _haproxy(paths) if host.serves else None,
    }


def _slot(slot: Slot, units: dict[str, systemd.Unit]) -> dict[str, object]:
    return {
        "state": slot.state,
        "release": slot.release if slot.state != "empty" else None,
        "build": slot.build if slot.state != "empty" else None,
        "config": slot.config if slot.state != "empty" else None,
        "since": slot.since,
        "retire_at": slot.retire_at,
        "ready_path": slot.web.ready if slot.web else None,
        "processes": {
            name: [units[unit].to_json() for unit in process.units(slot.name) if unit in units]
            for name, process in slot.processes.items()
        },
        "error": slot.error or None,
    }


def _disk(paths: Paths) -> dict[str, object]:
    path = paths.srv if os.path.isdir(paths.srv) else "/"
    disk = os.statvfs(path)
    return {"path": path, "free": disk.f_bavail * disk.f_frsize, "total": disk.f_blocks * disk.f_frsize}


def _haproxy(paths: Paths) -> dict[str, object]:
    try:
        rows = haproxy.stat(paths)
        runtime = haproxy.runtime_map(paths)
    except AgentError as error:
        return {"active": None, "sessions": {}, "up": {}, "error": error.message}
    up = {
        slot: sum(row["status"].startswith("UP") for row in haproxy.servers(rows, slot))
        for slot in ("blue", "green")
    }
    active = runtime.get("active")
    return {
        "active": None if active == "none" else active,
        "sessions": haproxy.sessions(rows),
        "up": up,
        "error": None,
    }
