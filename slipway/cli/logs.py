"""`slipway logs`: the log lines of the app's processes, host by host."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Stack, live_stack, say
from slipway.settings import BadInput

if TYPE_CHECKING:
    from slipway.fleet.fleet import FleetHost
    from slipway.platforms.platform import LogSearch
    from slipway.settings import Role
    from slipway.stack import LiveStack

MOST_LINES = 10_000
"""Maximum number of lines read at once from the journal of a host."""
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def logs(
    stack: Stack = DEFAULT_STACK,
    host: Annotated[str | None, typer.Option("--host", help="Only this host; default: all.")] = None,
    process: Annotated[
        str | None, typer.Option("--process", "-p", help="Only this process of slipway.toml.")
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", help="Last lines of each host.", min=1, max=MOST_LINES)
    ] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until Ctrl-C.")] = False,
    since: Annotated[
        str,
        typer.Option(help="Lines of the last 10m, 2h or 3d, or after a time such as 2026-11-27T14:30 (UTC)."),
    ] = "",
    grep: Annotated[str, typer.Option(help="Only lines in which this regular expression is found.")] = "",
) -> None:
    """Print the app's last log lines, each after its host's name. Secret values are redacted.

    On AWS, --since and --grep read CloudWatch Logs, where lines of hosts that are gone are too; --grep alone
    searches one day. Elsewhere they search the last 10,000 lines of each host.

    Examples:
      slipway logs --process worker -n 200
      slipway logs --stack prod --since 2h --grep 'request_id":"4f2a'
      slipway logs --stack prod --host web1 --follow
    """
    if follow and since:
        raise BadInput("--follow begins with the newest lines: it takes no --since")
    from slipway.platforms.platform import LogSearch  # noqa: PLC0415 - `slipway --help` needs no platform

    live = live_stack(stack)
    search = LogSearch(
        since=_time(since) if since else datetime.now(UTC) - timedelta(days=1),
        roles=_roles(live, process),
        processes={process}
        if process
        else {*live.app.processes, *(f"cron-{name}" for name in live.app.cron)},
        host=host or "",
        pattern=_pattern(grep),
        lines=lines,
    )
    kept = live.platform.kept_logs(search) if (since or grep) and not follow else None
    if kept is not None:
        found = ((name, live.redact(line)) for name, line in kept)
    elif follow:
        found = _follow(live, _hosts(live, host, process), process, search)
    else:
        found = _last(live, _hosts(live, host, process), process, search, since=bool(since))
    for name, line in found:
        say(f"{name:<9} {line}")


def _time(text: str) -> datetime:
    if found := re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text):
        return datetime.now(UTC) - timedelta(**{UNITS[found[2]]: int(found[1])})
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"--since {text}: must be a duration such as 10m, 2h or 3d, or a time such as 2026-11-27T14:30"
        ) from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise BadInput(f"--grep {text}: is not a regular expression ({error})") from None


def _roles(live: LiveStack, process: str | None) -> list[Role]:
    """The roles of the hosts that run `process`; None: any process of the app."""
    app = live.app
    if process is not None and process not in app.processes:
        raise BadInput(f"slipway.toml has no process {process}", remedy=f"one of {', '.join(app.processes)}")
    return sorted({app.role_of(name) for name in ([process] if process else app.processes)})


def _hosts(live: LiveStack, host: str | None, process: str | None) -> list[FleetHost]:
    """The hosts that run `process` (None: any process of the app), or the one called `host` of them."""
    roles = _roles(live, process)
    hosts = [found for found in live.app_hosts if host in (None, found.name) and found.facts.is_any(*roles)]
    if not hosts:
        raise BadInput(
            f"{host or 'no host'} does not run {process or 'the app'}",
            remedy=f"hosts of the app: {', '.join(found.name for found in live.app_hosts)}",
        )
    return hosts


def _last(
    live: LiveStack, hosts: list[FleetHost], process: str | None, search: LogSearch, *, since: bool
) -> Iterator[tuple[str, str]]:
    for host in hosts:
        found = host.agent.logs(
            lines=MOST_LINES if search.pattern else search.lines,
            process=process,
            since=f"@{search.since.timestamp():.6f}" if since else None,
        )
        redacted = live.redact("\n".join(found)).splitlines()
        for line in [each for each in redacted if search.matches(each)][-search.lines :]:
            yield host.name, line


def _follow(
    live: LiveStack, hosts: list[FleetHost], process: str | None, search: LogSearch
) -> Iterator[tuple[str, str]]:
    arriving: queue.Queue[tuple[str, str]] = queue.Queue(10_000)

    def pump(host: FleetHost) -> None:
        for line in host.agent.follow_logs(lines=search.lines, process=process):
            arriving.put((host.name, line))

    for host in hosts:
        threading.Thread(target=pump, args=(host,), daemon=True, name=f"logs-{host.name}").start()
    while True:
        name, line = arriving.get()
        redacted = live.redact(line)
        if search.matches(redacted):
            yield name, redacted
