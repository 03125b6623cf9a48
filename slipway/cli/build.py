"""`slipway build`: make the artifact that `slipway release --build` ships."""

from pathlib import Path
from typing import Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, progress, say
from slipway.settings import ReleaseFailed

Unsandboxed = Annotated[
    bool,
    typer.Option(
        "--unsandboxed-build",
        help="Run build commands without a sandbox: they can then read all that you can.",
    ),
]


def build(
    stack: Stack = DEFAULT_STACK,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write the build into this folder, too.")
    ] = None,
    checks: Annotated[bool, typer.Option(help="Run the app's own preflight commands first.")] = True,
    unsandboxed: Unsandboxed = False,
    json: Json = False,
) -> None:
    """Make a build of the app as it is here, without any secret and without reaching a host or bucket.

    `slipway release --build` ships it, by its id on this machine, or by the folder of --output anywhere: in
    CI, build in a job that holds no secret, and ship in another.

    Examples:
      slipway build --stack prod --output artifact
      slipway release --stack prod --build artifact
    """
    from slipway.build.artifact import write_artifact  # noqa: PLC0415 - slow to import, and --help needs none
    from slipway.build.build import build as make, run_checks  # noqa: PLC0415
    from slipway.settings import open_project  # noqa: PLC0415

    project, shown = open_project(stack), progress(as_json=json)
    if checks:
        with shown.phase("preflight"):
            for failed in run_checks(project, line=shown.line, unsandboxed=unsandboxed):
                raise ReleaseFailed(
                    f"`{failed.command}` failed: {failed.reason}",
                    details=failed.tail.splitlines(),
                    remedy="fix it, or build with --no-checks",
                )
    with shown.phase("build"):
        made = make(project, progress=shown, unsandboxed=unsandboxed)
    if output:
        write_artifact(made, output)
    manifest = made.manifest
    if json:
        emit_json({"build": manifest.id, "commit": manifest.git.sha, "output": output and str(output)})
        return
    say(f"build {manifest.id}")
    say(f"ship it: slipway release --stack {stack} --build {output or manifest.id}")
