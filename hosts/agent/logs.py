"""Logs: the journal of the app's processes, as text."""

from __future__ import annotations

import os
import re

from .errors import AgentError
from .fields import Fields
from .host import Host
from .paths import Paths


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:  # noqa: ARG001
    """Becomes journalctl; never returns. `process` may also be `cron`, `run` or `agent`."""
    os.execvp("journalctl", arguments(request))


def arguments(request: Fields) -> list[str]:
    """journalctl's command line for a request."""
    process = request.text("process", "")
    if process and not re.fullmatch(r"[a-z][a-z0-9-]*", process):
        raise AgentError("bad_request", f"logs.process: {process!r} is no name of a process")
    chosen = {
        "": ["--unit=slipway-*"],
        "agent": ["--identifier=slipway-agent"],
        "cron": ["--unit=slipway-cron-*"],
        "run": ["--unit=slipway-run-*"],
    }.get(process, [f"--unit=slipway-{process}@*"])
    argv = [
        "journalctl",
        "--quiet",
        "--no-pager",
        "--output=short-iso",
        f"--lines={request.whole('lines', 100)}",
    ]
    if request.has("since"):
        since = request.raw["since"]
        argv.append(
            f"--since={since}" if isinstance(since, str) else f"--since=@{request.number('since'):.6f}"
        )
    if request.flag("follow"):
        argv.append("--follow")
    return argv + chosen
