"""`slipway run`: a one-off task with the live release's code and env, on a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, live_stack, progress, say
from slipway.settings import BadInput

if TYPE_CHECKING:
    from slipway.fleet.fleet import FleetHost
    from slipway.stack import LiveStack


def run(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
    stack: Stack = DEFAULT_STACK,
    host: Annotated[
        str | None, typer.Option("--host", help="Default: the first worker, else the first web host.")
    ] = None,
    timeout: Annotated[
        int, typer.Option("--timeout", help="Seconds before it is stopped.", min=1, max=86_400)
    ] = 3600,
    json: Json = False,
) -> None:
    """Run a one-off task with the live release's code and env, and end with its exit code.

    Examples:
      slipway run -- bun run src/task.ts outbox.drain --batch-size 100
      slipway run --stack prod --timeout 600 -- bun run src/task.ts users.set-role --input '{"id":"7"}'
    """
    live = live_stack(stack)
    release = live.ledger.head().live
    if release is None:
        raise BadInput("nothing is live on this stack yet", remedy=f"slipway release --stack {live.name}")
    chosen = _host(live, host)
    with progress(as_json=json).phase("run", f"on {chosen.name}, release {release}"):
        done = chosen.agent.run(release=release, scope="task", argv=command, timeout=timeout)
    output = live.redact("\n".join(done.tail))
    if json:
        emit_json(
            {
                "host": chosen.name,
                "release": release,
                "exit": done.exit,
                "seconds": done.seconds,
                "output": output.splitlines(),
            }
        )
    elif output:
        say(output)
    raise typer.Exit(done.exit)


def _host(live: LiveStack, name: str | None) -> FleetHost:
    """The host called `name`; None: the first worker, else the first web host."""
    hosts = sorted(live.app_hosts, key=lambda host: host.facts.is_any("web"))
    chosen = next((host for host in hosts if name in (None, host.name)), None)
    if chosen is None:
        raise BadInput(
            f"no host {name} runs the app", remedy=f"one of {', '.join(host.name for host in hosts)}"
        )
    return chosen
