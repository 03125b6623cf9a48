"""Looking at this host without changing it: `status` (what it runs) and `logs` (the journal of its app)."""

from __future__ import annotations

import os
import re

from . import PROTOCOL, VERSION, durable, handover, haproxy, systemd
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import Exclusive, Order, Slot, State, interrupt_handover, order_of


def status(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `status`."""
    from . import cron  # imports what a switch, which imports this module, does without

    if request.has("fence"):
        _end_older_commands(paths, order_of(request))
    state = State.load(paths)
    units = systemd.show([unit for slot in state.slots.values() for unit in slot.units()])
    return {
        "protocol": PROTOCOL,
        "version": VERSION,
        "host": host.name,
        "role": host.role,
        "stack": host.stack,
        "fence": state.order[0],
        "step": state.order[1],
        "active": state.active,
        "idle": state.idle,
        "slots": {name: _slot(slot, units) for name, slot in state.slots.items()},
        "handover": state.handover,
        "cron_kinds": state.cron_kinds,
        "cron": cron.last_runs(paths, state),
        "killed": state.killed,
        "arch": host.arch,
        "disk": _disk(paths),
        "setup_digest": (durable.read(paths.setup_digest) or b"").decode().strip() or None,
        "haproxy": _haproxy(paths) if host.serves else None,
    }


def _end_older_commands(paths: Paths, order: Order) -> None:
    """What follows is the answer of a host on which no older command is at work, or will be again."""
    interrupt_handover(paths, order)
    with Exclusive(paths, "status", order) as state:
        if state.handover:  # it goes on, unless the command that looks here decides otherwise
            handover.in_background()


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


def logs(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `logs`. Becomes journalctl; never returns."""
    os.execvp("journalctl", journalctl(State.load(paths), request))


def journalctl(state: State, request: JsonObject) -> list[str]:
    """journalctl's command line for the app's own lines, without systemd's messages about its units.

    `process` may also be `cron`, or `agent` for the runs of the agent that systemd starts.
    """
    process = request.text("process", "")
    if process and not re.fullmatch(r"[a-z][a-z0-9-]*", process):
        raise AgentError("bad_request", f"logs.process: {process!r} is not the name of a process")
    argv = ["journalctl", "--quiet", "--no-pager", "--output=short-iso"]
    argv.append(f"--lines={request.whole('lines', 100)}")
    if isinstance(since := request.raw.get("since"), str):
        argv.append(f"--since={since}")
    elif since is not None:
        argv.append(f"--since=@{request.number('since'):.6f}")
    if request.flag("follow"):
        argv.append("--follow")
    crons = {f"cron-{name}" for slot in state.slots.values() for name in slot.cron}
    every = {name for slot in state.slots.values() for name in slot.processes} | crons
    if process == "agent":
        return [*argv, "--identifier=slipway-agent"]
    names = {"": every, "cron": crons}.get(process, {process})
    units = {"": "slipway-*", "cron": "slipway-cron-*"}.get(process, f"slipway-{process}@*")
    return [*argv, f"--unit={units}", *(f"--identifier={name}" for name in sorted(names))]
