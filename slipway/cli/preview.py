"""`slipway preview`: throw-away copies of the app, which share one host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.console import Json, Stack, emit_json, live_stack, progress, say, table

if TYPE_CHECKING:
    from slipway.preview.host import Seen
    from slipway.stack import LiveStack

app = typer.Typer(help="Throw-away copies of the app, a pull request each.", no_args_is_help=True)

DEFAULT_STACK = "previews"
Name = Annotated[str, typer.Argument(metavar="NAME", help="First part of its host name: pr-12.")]


@app.command("open")
def open_(
    name: Name,
    stack: Stack = DEFAULT_STACK,
    artifact: Annotated[
        str,
        typer.Option("--build", help="A build made before: an id, or a folder of `slipway build`."),
    ] = "",
    commit: Annotated[
        str, typer.Option(help="With --build FOLDER: that build is of this commit, not of what is here.")
    ] = "",
    json: Json = False,
) -> None:
    """Open a preview of what is here, or bring an open one to it.

    It has a database, a Redis, an uploads bucket and secrets of its own. `preview.seed` of slipway.toml runs
    once in its life. An update keeps its data; the preview is away for the seconds in which it restarts.

    Examples:
      slipway preview open pr-12
      slipway preview open pr-12 --build artifact --json
      slipway preview open pr-12 --build artifact --commit 3d3c42e5aac5ba805825da76410c181273ba90b1
    """
    from slipway.preview.open import open_preview  # noqa: PLC0415

    live = live_stack(stack)
    try:
        opened = open_preview(live, name, progress(as_json=json), artifact=artifact, commit=commit)
    except KeyboardInterrupt:
        raise _interrupted(live, name) from None
    if json:
        emit_json(opened.as_json())
        return
    verb = "is open" if opened.fresh else "is updated"
    say(f"preview {name} {verb} after {opened.seconds:.1f} s: {opened.url}")
    if live.outputs.ca_file:
        say(f"certificate authority: {live.outputs.ca_file}")


@app.command()
def prove(name: Name, stack: Stack = DEFAULT_STACK, json: Json = False) -> None:
    """Check an open preview from outside, then send it a little load: exit code 1 if something is missed.

    Checks of TLS, headers, sign-in, private paths, sockets and secrets in pages, on this preview alone; those
    about hosts are for the stack (`slipway check`). `slipway:prove` of the stack says which severities and
    which load; by default high and smoke. Reports go to .slipway/STACK/previews/NAME.

    Examples:
      slipway preview prove pr-12
      slipway preview prove pr-12 --json
    """
    from slipway.preview.prove import prove_preview  # noqa: PLC0415

    proved = prove_preview(live_stack(stack), name, progress(as_json=json))
    if json:
        emit_json(proved.as_json())
    else:
        for problem in proved.problems:
            say(f"  {problem}")
        sums = ", ".join(f"{count} {verdict}" for verdict, count in proved.checks.items())
        say(f"preview {name}: checks: {sums or 'none'}; load: {proved.load or 'none'}")
        say(f"reports: {proved.reports}")
    raise typer.Exit(0 if proved.good else 1)


@app.command()
def close(name: Name, stack: Stack = DEFAULT_STACK, json: Json = False) -> None:
    """Close a preview: nothing of it stays but lines in the host's journal. Quiet if there is none.

    Examples:
      slipway preview close pr-12
    """
    from slipway.preview.close import close_preview  # noqa: PLC0415

    live = live_stack(stack)
    try:
        closed = close_preview(live, name, progress(as_json=json))
    except KeyboardInterrupt:
        raise _interrupted(live, name) from None
    if json:
        emit_json({"name": name, "was_there": closed.was_there})
    else:
        say(f"preview {name} is closed" if closed.was_there else f"there is no preview {name}")


@app.command("list")
def list_(stack: Stack = DEFAULT_STACK, json: Json = False) -> None:
    """List the previews: state, age, build and URL.

    Examples:
      slipway preview list --json
    """
    from slipway.preview.close import listed  # noqa: PLC0415

    found = listed(live_stack(stack))
    if json:
        emit_json({"previews": [each.as_json(found.now) for each in found.previews]})
        return
    table(
        ("NAME", "AGE", "UPDATED", "BUILD", "URL", "STATE"),
        (_row(each, found.now) for each in found.previews),
    )


@app.command()
def sweep(stack: Stack = DEFAULT_STACK, json: Json = False) -> None:
    """Close every preview that was opened or updated longer than preview.max_age_hours ago.

    Examples:
      slipway preview sweep
    """
    from slipway.preview.close import sweep as close_old  # noqa: PLC0415

    live = live_stack(stack)
    closed = [each.name for each in close_old(live, progress(as_json=json))]
    if json:
        emit_json({"closed": closed})
        return
    for name in closed:
        say(f"preview {name} is closed: older than {live.app.preview.max_age_hours} hours")
    if not closed:
        say(f"no preview is older than {live.app.preview.max_age_hours} hours")


def _row(preview: Seen, now: float) -> tuple[str, ...]:
    updated = _age(now - preview.updated) if preview.updated else "-"
    age = _age(now - preview.opened)
    return preview.name, age, updated, preview.build[:13], preview.url, preview.said


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _interrupted(live: LiveStack, name: str) -> Exception:
    """What the host says of the preview now: it may still be at work, or have finished."""
    from slipway.preview.close import listed  # noqa: PLC0415
    from slipway.settings import Interrupted, SlipwayError  # noqa: PLC0415

    remedy = f"slipway preview open {name} or slipway preview close {name}, with --stack {live.name}"
    try:
        found = {each.name: each for each in listed(live).previews}.get(name)
    except SlipwayError as unknown:
        return Interrupted(
            f"interrupted; what preview {name} is now is not known: {unknown.message}", remedy=remedy
        )
    if found is None:
        return Interrupted(f"interrupted: there is no preview {name}")
    return Interrupted(f"interrupted: preview {name} is {found.said} at this moment", remedy=remedy)
