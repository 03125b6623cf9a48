"""`slipway secrets …`: a stack's secret store. No value is ever an argument, and none is printed."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, platform_of_stack, say, table
from slipway.settings import BadInput

app = typer.Typer(no_args_is_help=True, help="The stack's secrets: generate, set, unset, list, check.")

Name = Annotated[str, typer.Argument(help="The variable's name, as in [env.NAME] of slipway.toml.")]


@app.command("generate")
def generate(
    stack: Stack = DEFAULT_STACK,
    rotate: Annotated[
        list[str] | None, typer.Option("--rotate", help="Generate this one again although it is set.")
    ] = None,
    json: Json = False,
) -> None:
    """Make every secret that the env contract can make and the store lacks.

    Examples:
      slipway secrets generate --stack preview
      slipway secrets generate --stack prod --rotate JWT_SECRET
    """
    from slipway.secrets.contract import generate as make  # noqa: PLC0415

    platform = platform_of_stack(stack)
    store = platform.secret_store()
    made = make(platform.project.app, store.names(), rotate=tuple(rotate or ()))
    if made:
        store.update(made)
    if json:
        emit_json({"stack": stack, "generated": sorted(made)})
    else:
        say(
            f"generated {', '.join(sorted(made))}"
            if made
            else "nothing to generate: every such secret is set"
        )


@app.command("set")
def set_value(name: Name, stack: Stack = DEFAULT_STACK) -> None:
    """Set one secret; the value comes from a prompt, or from standard input.

    Examples:
      slipway secrets set SENTRY_DSN --stack prod
      pass show stripe/live | slipway secrets set STRIPE_SECRET_KEY --stack prod
      slipway secrets set SITE_CERTIFICATE --stack prod < site.pem
    """
    platform = platform_of_stack(stack)
    value = _ask(name)
    warnings = platform.check_secret(name, value)
    platform.secret_store().set(name, value)
    say(f"{name} is set for {stack}; {platform.takes_effect(name)}")
    for line in warnings:
        say(f"warning: {line}")


@app.command("unset")
def unset(name: Name, stack: Stack = DEFAULT_STACK) -> None:
    """Remove one secret from the store."""
    store = platform_of_stack(stack).secret_store()
    store.unset(name)
    say(f"{name} is removed from {stack}")


@app.command("list")
def list_names(
    stack: Stack = DEFAULT_STACK,
    everything: Annotated[bool, typer.Option("--all", help="The platform's own secrets too.")] = False,
    json: Json = False,
) -> None:
    """List names, never values, and which of the contract are missing."""
    from slipway.secrets.store import app_names  # noqa: PLC0415

    platform = platform_of_stack(stack)
    have = set(platform.secret_store().names())
    wanted = {name: var for name, var in platform.project.app.env.items() if var.secret}
    names = sorted(have | set(wanted))
    if not everything:
        names = app_names(names)
    rows = [
        (name, "set" if name in have else "optional" if wanted[name].optional else "missing")
        for name in names
    ]
    if json:
        emit_json([{"name": name, "state": state} for name, state in rows])
    else:
        table(("NAME", "STATE"), rows)


@app.command("check")
def check(stack: Stack = DEFAULT_STACK, json: Json = False) -> None:
    """Check every secret against the env contract: missing, weak, reused, a test key in prod.

    Examples:
      slipway secrets check --stack prod
    """
    from slipway.platforms.platform import other_secrets  # noqa: PLC0415
    from slipway.secrets.check import check as findings_of  # noqa: PLC0415

    platform = platform_of_stack(stack)
    project = platform.project
    findings = findings_of(project.app, project.stack, platform.secrets, other_secrets(project))
    if json:
        emit_json([{"name": f.name, "problem": f.problem, "remedy": f.remedy} for f in findings])
    else:
        table(("NAME", "PROBLEM", "REMEDY"), ((f.name, f.problem, f.remedy) for f in findings))
        say("" if findings else f"every secret of {stack} is as the contract wants it")
    raise typer.Exit(2 if findings else 0)


@app.command("example")
def example(stack: Stack = DEFAULT_STACK) -> None:
    """Print a .env.example made from the env contract: every variable, no value that is secret.

    Examples:
      slipway secrets example > .env.example
    """
    from slipway.secrets.contract import env_example  # noqa: PLC0415
    from slipway.settings import open_project  # noqa: PLC0415

    typer.echo(env_example(open_project(stack).app), nl=False)


Key = Annotated[str, typer.Argument(help="A public key: age1….")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("share")
def share(
    key: Key,
    stack: Stack = DEFAULT_STACK,
    who: Annotated[str, typer.Option("--who", help="Whose key it is.")] = "",
    yes: Yes = False,
) -> None:
    """Let another person's key read and write this stack's secrets. Shows who can then, and asks.

    Examples:
      slipway secrets share age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq --who "Ana, laptop"
    """
    _change_recipients(stack, lambda now: {**now, key: who or now.get(key, "")}, yes=yes)


@app.command("unshare")
def unshare(key: Key, stack: Stack = DEFAULT_STACK, yes: Yes = False) -> None:
    """Encrypt what is written from now on to one key less. Shows who can still read it, and asks.

    Examples:
      slipway secrets unshare age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq --stack prod
    """

    def without(now: dict[str, str]) -> dict[str, str]:
        if key not in now:
            raise BadInput(f"{key} is not a recipient", remedy=f"recipients: {', '.join(now) or 'none'}")
        return {other: name for other, name in now.items() if other != key}

    _change_recipients(stack, without, yes=yes)
    say("they may have kept what they could read: rotate it (slipway secrets generate --rotate NAME, set)")


def _change_recipients(stack: str, change: Callable[[dict[str, str]], dict[str, str]], *, yes: bool) -> None:
    """Show what changes, line by line, and do it if the person agrees."""
    store = platform_of_stack(stack).shared_secrets()
    now, mine = store.recipients(), store.mine()
    wanted = change(now)
    say(f"who can read and write the secrets of {stack}:")
    for key in sorted({*now, *wanted}):
        mark = " " if key in now and key in wanted else "+" if key in wanted else "-"
        name = wanted.get(key) or now.get(key) or ("you" if key in mine else "unknown")
        say(f"  {mark} {key}  {name}")
    if not yes:
        if not sys.stdin.isatty():
            raise BadInput(
                "nothing was changed: standard input is no terminal to ask on",
                remedy="read the list, then add --yes",
            )
        typer.confirm("Is that right?", abort=True)
    store.set_recipients(wanted, seen=now)


def _ask(name: str) -> str:
    """From a prompt that does not echo, or all of standard input without its last line break."""
    if sys.stdin.isatty():
        return str(typer.prompt(f"value for {name}", hide_input=True, confirmation_prompt=True))
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")
