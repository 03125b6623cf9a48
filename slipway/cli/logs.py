"""`slipway logs`: the log lines of the app's processes, host by host."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Stack, live_stack, say
from slipway.settings import BadInput

if TYPE_CHECKING:
    from slipway.fleet.fleet import FleetHost
    from slipway.stack import LiveStack


def logs(
    stack: Stack = DEFAULT_STACK,
    host: Annotated[str | None, typer.Option("--host", help="Only this host; default: all.")] = None,
    process: Annotated[
        str | None, typer.Option("--process", "-p", help="Only this process of slipway.toml.")
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", help="Last lines of each host.", min=1, max=10_000)
    ] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until Ctrl-C.")] = False,
) -> None:
    """Print the app's last log lines, each after its host's name. Secret values are redacted.

    [dim]Examples:[/]
      slipway logs --process worker -n 200
      slipway logs --stack prod --host web1 --follow
    """
    live = live_stack(stack)
    hosts = _hosts(live, host, process)
    found = _follow(live, hosts, process, lines) if follow else _last(live, hosts, process, lines)
    for name, line in found:
        say(f"{name:<9} {line}")


def _hosts(live: LiveStack, host: str | None, process: str | None) -> list[FleetHost]:
    """The hosts that run `process` (None: any process of the app), or the one called `host` of them."""
    app = live.app
    if process is not None and process not in app.processes:
        raise BadInput(f"slipway.toml has no process {process}", remedy=f"one of {', '.join(app.processes)}")
    roles = [app.role_of(name) for name in ([process] if process else app.processes)]
    hosts = [found for found in live.app_hosts if host in (None, found.name) and found.facts.is_any(*roles)]
    if not hosts:
        raise BadInput(
            f"{host or 'no host'} does not run {process or 'the app'}",
            remedy=f"hosts of the app: {', '.join(found.name for found in live.app_hosts)}",
        )
    return hosts


def _last(
    live: LiveStack, hosts: list[FleetHost], process: str | None, lines: int
) -> Iterator[tuple[str, str]]:
    for host in hosts:
        found = host.agent.logs(lines=lines, process=process)
        for line in live.redact("\n".join(found)).splitlines():
            yield host.name, line


def _follow(
    live: LiveStack, hosts: list[FleetHost], process: str | None, lines: int
) -> Iterator[tuple[str, str]]:
    arriving: queue.Queue[tuple[str, str]] = queue.Queue(10_000)

    def pump(host: FleetHost) -> None:
        for line in host.agent.follow_logs(lines=lines, process=process):
            arriving.put((host.name, line))

    for host in hosts:
        threading.Thread(target=pump, args=(host,), daemon=True, name=f"logs-{host.name}").start()
    while True:
        name, line = arriving.get()
        yield name, live.redact(line)
