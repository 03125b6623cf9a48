"""`slipway init`: look at a repository, and write what slipway needs to ship it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from slipway.cli.console import Json, emit_json, say, table

if TYPE_CHECKING:
    from slipway.adopt.draft import Draft
    from slipway.adopt.write import Written

PLATFORMS = ("local", "servers", "aws")


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The repository.", show_default=False)
    ] = Path(),
    platform: Annotated[
        str,
        typer.Option("--platform", help="local, servers or aws: where prod shall be; local: no prod yet."),
    ] = "",
    given: Annotated[
        str, typer.Option("--from", help="Read the file of this tool only: kamal, compose, procfile or fly.")
    ] = "",
    previews: Annotated[
        bool,
        typer.Option("--previews", help="Also a stack for previews on a server, and their workflows."),
    ] = False,
    json: Json = False,
) -> None:
    """Say what a repository is, and write slipway.toml, the stacks' files, .env.example and workflows.

    Workflows that open a preview for each pull request are written with --previews, or where a stack that is
    not on this machine has `slipway:previews: true`. No file that exists is changed, but for lines added to
    .gitignore. At a terminal it asks for the platform and for a start command that it could not find;
    elsewhere it decides by itself, and says what is left.

    Examples:
      slipway init
      slipway init --platform servers --previews
      slipway init ../shop --platform servers --from kamal
      slipway init --json
    """
    from slipway.adopt.draft import draft  # noqa: PLC0415
    from slipway.adopt.write import write  # noqa: PLC0415
    from slipway.settings import BadInput  # noqa: PLC0415

    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}", remedy="name the folder of the repository")
    if platform and platform not in PLATFORMS:
        raise BadInput(f"--platform {platform}: unknown", remedy=f"one of {', '.join(PLATFORMS)}")
    drafted = draft(folder, given)
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not json
    chosen = platform or (_ask(drafted) if asks else "local")
    written = write(folder, drafted, cast("Literal['local', 'servers', 'aws']", chosen), previews=previews)
    if json:
        emit_json(
            {
                "name": drafted.name,
                "recipe": drafted.recipe.id,
                "platform": chosen,
                "found": [{"what": each.what, "why": each.why} for each in drafted.found],
                "files": [{"file": each.file, "action": each.action} for each in written],
                "to_do": drafted.edits,
            }
        )
    else:
        _report(folder, drafted, written)


def _ask(drafted: Draft) -> str:
    """The platform; and, where it was not found, what starts the app."""
    say(f"{drafted.name}: {drafted.recipe.title} ({drafted.found[0].why})")
    web = drafted.processes["web"]
    if web.why == "not found":
        web.command = typer.prompt("Which command starts it, listening on $PORT?")
        web.why = "what was typed at slipway init"
        drafted.edits = [each for each in drafted.edits if not each.startswith("processes.web.command")]
    return typer.prompt("Where shall prod be: local (no prod yet), servers or aws?", default="local")


def _report(folder: Path, drafted: Draft, written: list[Written]) -> None:
    table(("FOUND", "WHERE"), ((each.what, each.why) for each in drafted.found))
    say()
    table(("FILE", ""), ((each.file, each.action) for each in written))
    if drafted.edits:
        say("\nto do:")
        for edit in drafted.edits:
            say(f"  {edit}")
    into = f"cd {folder} && " if folder != Path() else ""
    say(f"\nnext: {into}slipway doctor      what is missing, with the command that fixes it")
    say(f"      {into}slipway up          a fleet on this machine")
    say(f"      {into}slipway release     ship to it")
    if any(each.file == "Pulumi.prod.yaml" for each in written):
        say(f"      {into}slipway doctor --stack prod")
