"""`slipway github ids`: the numbers by which GitHub's tokens name a repository."""

import json as encoding
import os
from typing import Annotated, Any

import typer

from slipway.cli.console import Json, emit_json, say
from slipway.settings import BadInput

app = typer.Typer(no_args_is_help=True, help="What a stack's settings say of its repository on GitHub.")

_SECONDS = 10


@app.command("ids")
def ids(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository.")],
    json: Json = False,
) -> None:
    """Print the numbers of a repository and its owner, as slipway:aws.github wants them.

    GitHub writes them into the tokens of repositories that were created or renamed since 2026-07-15. For a
    private repository set GITHUB_TOKEN; GITHUB_API_URL names another server than github.com's.

    Examples:
      slipway github ids acme/board
    """
    found = repository_ids(repository)
    if json:
        emit_json(found)
    else:
        say(f"owner_id: {found['owner_id']}\nrepository_id: {found['repository_id']}")


def repository_ids(repository: str) -> dict[str, int]:
    """`owner_id` and `repository_id`. Raises BadInput if GitHub does not name them."""
    import urllib.request  # noqa: PLC0415 - 16 ms, which every command would pay

    base = os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
    request = urllib.request.Request(  # noqa: S310 - the operator's own setting
        f"{base}/repos/{repository}", headers={"accept": "application/vnd.github+json"}
    )
    if token := os.environ.get("GITHUB_TOKEN"):
        request.add_header("authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            said: dict[str, Any] = encoding.load(answer)
        return {"owner_id": int(said["owner"]["id"]), "repository_id": int(said["id"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{base} did not name the numbers of {repository}: {error}",
            remedy="is it spelt right? For a private repository set GITHUB_TOKEN",
        ) from None
