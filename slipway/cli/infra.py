"""`slipway infra graph|cost|check|report`: a stack's infrastructure before it exists."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.console import Json, Stack, emit_json, say, table
from slipway.settings import BadInput

if TYPE_CHECKING:
    from infra.recording import Graph
    from slipway.settings import Project

app = typer.Typer(
    no_args_is_help=True,
    help="Show a stack's infrastructure before it exists: needs no engine, credentials or network.",
)

PROD = "prod"


@app.command("graph")
def graph(
    stack: Stack = PROD,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; default: standard output.")
    ] = None,
    json: Json = False,
) -> None:
    """Draw what a stack is made of, by concern, as SVG.

    Examples:
      slipway infra graph --stack prod --out prod.svg
      slipway infra graph --stack preview --json
    """
    recorded, _ = _recorded(stack)
    from infra.picture.model import picture  # noqa: PLC0415
    from infra.picture.svg import svg  # noqa: PLC0415

    drawn = picture(recorded)
    if json:
        emit_json(drawn.as_json())
    elif out is None:
        say(svg(drawn).rstrip())
    if out is not None:
        _write(out, svg(drawn))
        if not json:
            say(f"{out}: {drawn.resources} resources in {len(drawn.cards)} concerns")


@app.command("cost")
def cost(stack: Stack = PROD, json: Json = False) -> None:
    """Estimate a stack's monthly cost without traffic, at list prices.

    Examples:
      slipway infra cost --stack prod
      slipway infra cost --stack preview --json
    """
    recorded, _ = _recorded(stack)
    from infra.picture.cost import (  # noqa: PLC0415
        NOT_IN_IT,
        cost as estimate,
        prices,
    )

    found, listed = estimate(recorded), prices()
    if json:
        emit_json(found.as_json())
        return
    table(
        ("CONCERN", "WHAT", "COUNT", "USD A MONTH", ""),
        (
            (
                item.concern,
                item.what,
                f"{item.count:g}",
                "no price" if item.usd is None else f"{item.usd:.2f}",
                "" if item.usd is None or listed.by_item[item.what].verified else "price not verified",
            )
            for item in found.items
        ),
    )
    more = " and what has no price" if found.unpriced else ""
    say(
        f"\nabout {found.usd:.0f} USD a month{more}: list prices of {listed.date}, {listed.region}, on demand"
    )
    say(f"not in it: {NOT_IN_IT}")


@app.command("check")
def check(stack: Stack = PROD, json: Json = False) -> None:
    """Check a stack before AWS sees it; exit code 1 if a rule is broken.

    Policy rules; the form of every value, by AWS's own models; who reaches whom; names in two places.

    Examples:
      slipway infra check --stack prod
      slipway infra check --stack preview --json
    """
    recorded, project = _recorded(stack)
    from infra.policies import RULES, World, judge  # noqa: PLC0415
    from infra.proofs import prove  # noqa: PLC0415

    violations, problems = judge(World(recorded, project.stack.purpose), RULES), list(prove(recorded))
    if json:
        emit_json({
            "rules": len(RULES),
            "findings": [each.as_json() for each in violations],
            "problems": [each.as_json() for each in problems],
        })  # fmt: skip
        raise typer.Exit(1 if violations or problems else 0)
    if violations:
        table(
            ("SEVERITY", "RULE", "CONTROLS", "RESOURCE", "PROBLEM", "REMEDY"),
            (
                (
                    each.control.severity,
                    each.control.id,
                    ", ".join(each.control.controls),
                    each.where,
                    each.problem,
                    each.control.what_to_do,
                )
                for each in violations
            ),
        )
    if problems:
        table(
            ("PROOF", "RESOURCE", "PROBLEM", "SOURCE"),
            ((each.proof, each.where, each.problem, each.source) for each in problems),
        )
    if not violations and not problems:
        say(f"{stack} keeps all {len(RULES)} rules; its values are as AWS's models want them, and everyone")
        say("reaches what they must and nothing else (docs/reachability.md)")
    raise typer.Exit(1 if violations or problems else 0)


@app.command("report")
def report(
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("infra.html"),
    stack: Stack = PROD,
    json: Json = False,
) -> None:
    """Write a page on a stack: its traffic, what it is made of, what it costs, which rules it keeps.

    Examples:
      slipway infra report --stack prod --out prod.html
    """
    recorded, project = _recorded(stack)
    from infra.picture.report import report as page  # noqa: PLC0415
    from infra.picture.traffic import traffic  # noqa: PLC0415

    _write(out, page(recorded, project.stack.purpose))
    if json:
        flows = [
            {"from": each.source, "to": each.target, "ports": each.ports} for each in traffic(recorded).flows
        ]
        emit_json({"file": str(out), "traffic": flows})
    else:
        say(f"wrote {out}")


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"--out {out}: {error.strerror}", remedy="name a file in a folder that exists"
        ) from None


def _recorded(stack: str) -> tuple[Graph, Project]:
    """The recorded graph of a stack on AWS. Raises BadInput for anything else."""
    for package in ("pulumi", "pulumi_aws", "pulumi_cloudflare"):
        if find_spec(package) is None:
            raise BadInput(
                f"the Python package {package} is not installed",
                remedy="install slipway again: uv tool install --reinstall slipway; in a clone: uv sync",
            )
    from slipway.settings import open_project  # noqa: PLC0415

    project = open_project(stack)
    if project.stack.aws is None:
        raise BadInput(
            f'stack "{stack}" is on platform {project.stack.platform}: there is no infrastructure to show',
            remedy="name a stack on aws: --stack prod",
        )
    from infra.recording import record  # noqa: PLC0415

    return record(project.root, stack), project
