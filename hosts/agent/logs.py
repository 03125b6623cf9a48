"""Logs: the journal of the app's processes, as text."""

from __future__ import annotations

import os
import re

from .errors import AgentError
from .fields import Fields
from .host import Host
from .paths import Paths
from .state import State


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:  # noqa: ARG001
    """Becomes journalctl; never returns."""
    os.execvp("journalctl", arguments(State.load(paths), request))


def arguments(state: State, request: Fields) -> list[str]:
    """journalctl's command line: what the app wrote, without what systemd says about its units.

    `process` may also be `cron`, or `agent` for the agent's own runs by systemd.
    """
    process = request.text("process", "")
    if process and not re.fullmatch(r"[a-z][a-z0-9-]*", process):
        raise AgentError("bad_request", f"logs.process: {process!r} is no name of a process")
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
