"""The tree of commands. Each command imports what it needs when it runs: a rollback has one second."""

from importlib import import_module
from typing import Annotated, Any

import typer

from slipway.cli.help import Command, Group

COMMANDS = {
    **{name: name for name in ("init", "bootstrap", "up", "down", "build", "release", "promote")},
    **{name: name for name in ("rollback", "hold")},
    "resume": "hold",
    **{name: name for name in ("status", "verify", "history", "logs", "run", "approve", "drift", "check")},
    **{name: name for name in ("load", "meter", "doctor")},
}
"""By name, the module of slipway.cli in which the function of that name is the command."""
GROUPS = ("preview", "secrets", "access", "infra", "image", "github", "ledger")
"""Modules of slipway.cli with several commands."""
RUNS_ANOTHER: dict[str, Any] = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def command_line(first: str | None = None) -> typer.Typer:
    """The whole tree; if `first`, the first argument, names a command, that one alone: others cost time."""
    app = typer.Typer(
        name="slipway",
        help="Ship a web app to a live fleet without losing a request, and go back in a second.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        cls=Group,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 done · 1 failed, the fleet is as it was · 2 bad input · 3 another command "
        "holds the lease, or a rollback took it · 4 the fleet, or a held stack, needs a person",
    )
    app.callback()(_root)
    known = first in COMMANDS or first in GROUPS
    for name, module in COMMANDS.items():
        if not known or first == name:
            command = getattr(import_module(f"slipway.cli.{module}"), name)
            context = RUNS_ANOTHER if name == "run" else None
            app.command(name, cls=Command, context_settings=context)(command)
    for name in GROUPS:
        if not known or first == name:
            group: typer.Typer = import_module(f"slipway.cli.{name}").app
            for each in group.registered_commands:
                each.cls = Command
            app.add_typer(group, name=name, cls=Group)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - 10 ms for one rare option

        typer.echo(f"slipway {version('slipway')}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ship a web app to a live fleet without losing a request, and go back in a second."""
