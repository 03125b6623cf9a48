"""Log lines of the app's processes from every host, with secret values blotted out."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from slipway.fleet.fleet import FleetHost
from slipway.release.open import OpenStack
from slipway.settings.errors import BadInput
from slipway.settings.project import Project


def stream(
    project: Project, *, host: str | None, process: str | None, lines: int, follow: bool
) -> Iterator[tuple[str, str]]:
    """Yield (host, line); with `follow` as they come, until the caller stops."""
    if process is not None and process not in project.app.processes:
        raise BadInput(
            f"slipway.toml has no process {process}", remedy=f"one of {', '.join(project.app.processes)}"
        )
    stack = OpenStack(project)
    roles = {project.app.role_of(name) for name in ([process] if process else project.app.processes)}
    hosts = [found for found in stack.app_hosts if host in (None, found.name) and found.role in roles]
    if not hosts:
        raise BadInput(
            f"{host or 'no host'} does not run {process or 'the app'}",
            remedy=f"hosts of the app: {', '.join(found.name for found in stack.app_hosts)}",
        )
    redact = stack.redactor.text
    if not follow:
        for found in hosts:
            for line in found.agent.logs(lines=lines, process=process):
                yield found.name, redact(line)
        return
    arriving: queue.Queue[tuple[str, str]] = queue.Queue()

    def pump(found: FleetHost) -> None:
        for line in found.agent.follow_logs(lines=lines, process=process):
            arriving.put((found.name, line))

    for found in hosts:
        threading.Thread(target=pump, args=(found,), daemon=True, name=f"logs-{found.name}").start()
    while True:
        name, line = arriving.get()
        yield name, redact(line)
