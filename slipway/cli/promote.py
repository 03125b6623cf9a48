"""`slipway promote`: ship to one stack the very build that another has proved."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from slipway.cli.console import Json, emit_json, live_stack, progress, say, say_shipped
from slipway.settings import BadInput


def promote(
    source: Annotated[str, typer.Option("--from", help="The stack that has proved the build.")] = "",
    to: Annotated[str, typer.Option("--to", help="The stack that gets it.")] = "",
    release: Annotated[
        int | None, typer.Option("--release", help="A release of --from; default: the live one.", min=1)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Only write the build into this folder, for --build.")
    ] = None,
    build: Annotated[
        Path | None, typer.Option("--build", help="Folder of --output, in place of --from.")
    ] = None,
    unproved: Annotated[
        bool, typer.Option("--unproved", help="Take a release that proved nothing after its switch.")
    ] = False,
    observe: Annotated[
        float | None, typer.Option(help="Seconds to observe after the switch; 0 for none.", min=0)
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a lease that is held.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Ship to --to the build that is live on --from: nothing is built or tested again, all else is a release.

    The signature, SBOM and layers of the build are verified first, and what it proved on --from goes into the
    ledger of --to, signed. The commit of the build has to be checked out, with the same slipway.toml.

    Whoever may read only one of the stacks does it in two steps, by --output and --build.

    Examples:
      slipway promote --from preview --to prod
      slipway promote --from preview --output artifact
      slipway promote --build artifact --to prod
    """
    if bool(source) == bool(build) or bool(to) == bool(output) or (build and output):
        raise BadInput(
            "promote takes --from or --build, and --to or --output",
            remedy="for example: slipway promote --from preview --to prod",
        )
    from slipway.release.hold import is_automatic  # noqa: PLC0415
    from slipway.release.promotion import bring, take  # noqa: PLC0415
    from slipway.release.rollout import Options  # noqa: PLC0415

    shown = progress(as_json=json)
    with tempfile.TemporaryDirectory(prefix="slipway-promote-") as temporary:
        folder = build or output or Path(temporary)
        if source:
            with shown.phase("take"):
                made = take(live_stack(source), release, folder, shown, unproved=unproved)
            if output and json:
                emit_json({"build": made.build, "commit": made.commit, "output": str(output)})
            elif output:
                say(f"build {made.build} of commit {made.commit or 'unknown'} is in {output}")
                say(f"ship it, from that commit: slipway promote --build {output} --to STACK")
            if output:
                return
        options = Options(observe_seconds=observe, automatic=is_automatic(), wait_seconds=wait)
        report = bring(live_stack(to), folder, options, shown)
    say_shipped(report, to, json=json)
