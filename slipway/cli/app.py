"""The tree of commands. Each command imports what it needs when it runs: a rollback has one second."""

from typing import Annotated

import typer

from slipway.cli import (
    approve,
    build,
    check,
    doctor,
    down,
    drift,
    github,
    history,
    hold,
    infra,
    init,
    ledger,
    load,
    logs,
    meter,
    release,
    rollback,
    run,
    secrets,
    status,
    up,
    verify,
)

app = typer.Typer(
    name="slipway",
    help="Ship a web app to a live fleet without losing a request, and go back in a second.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done · 1 failed, the fleet is as it was · 2 bad input · 3 another command "
    "holds the lease, or a rollback took it · 4 the fleet, or a held stack, needs a person",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - 10 ms for one rare option

        typer.echo(f"slipway {version('slipway')}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ship a web app to a live fleet without losing a request, and go back in a second."""


app.command("init")(init.init)
app.command("up")(up.up)
app.command("down")(down.down)
app.command("build")(build.build)
app.command("release")(release.release)
app.command("rollback")(rollback.rollback)
app.command("hold")(hold.hold)
app.command("resume")(hold.resume)
app.command("status")(status.status)
app.command("verify")(verify.verify)
app.command("history")(history.history)
app.command("logs")(logs.logs)
app.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(
    run.run
)
app.command("approve")(approve.approve)
app.command("drift")(drift.drift)
app.command("check")(check.check)
app.command("load")(load.load)
app.command("meter")(meter.meter)
app.command("doctor")(doctor.doctor)
app.add_typer(secrets.app, name="secrets")
app.add_typer(infra.app, name="infra")
app.add_typer(github.app, name="github")
app.add_typer(ledger.app, name="ledger")
