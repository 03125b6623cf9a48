"""`slipway bootstrap`: once for each stack, what an account needs before the first `slipway up`."""

import shutil
import subprocess
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.console import DEFAULT_STACK, Json, Stack, emit_json, platform_of_stack, progress, say

if TYPE_CHECKING:
    from slipway.platforms.platform import Bootstrapped

_SECONDS = 60


def bootstrap(
    stack: Stack = DEFAULT_STACK,
    github: Annotated[
        bool,
        typer.Option("--github/--no-github", help="Set the repository's variables with gh, if it is here."),
    ] = True,
    json: Json = False,
) -> None:
    """Make what a stack on AWS needs before its first `up`; run it with an administrator's credentials.

    A bucket for the engine's state, a KMS key in place of a passphrase, service-linked roles, GitHub's
    identity provider and the role that provisions, and requests for the quotas that are too small. It may be
    repeated: what is there is left as it is or brought in line.

    Examples:
      slipway bootstrap --stack prod
      slipway bootstrap --stack prod --no-github --json
    """
    made = platform_of_stack(stack).bootstrap(progress(as_json=json))
    failed = _set_variables(made) if github and made.variables else ""
    if json:
        emit_json({
            "environment": made.environment, "repository": made.repository, "variables": made.variables,
            "variables_set": bool(github and made.variables and not failed), "todo": made.todo,
        })  # fmt: skip
        return
    for name, value in made.environment.items():
        say(f"export {name}='{value}'")
    if made.variables and (failed or not github):
        say(f"variables of {made.repository} were not set{f': {failed}' if failed else ''}; they are:")
        for environment, variables in made.variables.items():
            for name, value in variables.items():
                say(f"  gh variable set {name} --repo {made.repository} --env {environment} --body '{value}'")
    elif made.variables:
        say(f"set the variables of the environments {', '.join(made.variables)} of {made.repository}")
    for each in made.todo:
        say(f"to do: {each}")
    say(f"next: slipway doctor --stack {stack}, then slipway up --stack {stack}")


def _set_variables(made: "Bootstrapped") -> str:
    """Make the environments and set their variables with gh; why that did not work, or nothing."""
    if shutil.which("gh") is None:
        return "gh is not on PATH"
    for environment, variables in made.variables.items():
        path = f"repos/{made.repository}/environments/{environment}"
        if failed := _gh("api", "--method", "PUT", path, "--silent"):
            return failed
        for name, value in variables.items():
            where = ("--repo", made.repository, "--env", environment)
            if failed := _gh("variable", "set", name, *where, "--body", value):
                return failed
    return ""


def _gh(*arguments: str) -> str:
    done = subprocess.run(
        ["gh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["gh failed"])[0]
