"""Writes docs/how-to/apps/: what `slipway init` makes of a repository of each kind, as it makes it.

python -m script.app_pages
"""

# ruff: noqa: E501 - sentences of pages
from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from slipway.adopt.draft import Draft, draft
from slipway.adopt.recipe import Recipe, recipes
from slipway.adopt.write import write
from tests.unit.adopt.repositories import REPOSITORIES, make

FOLDER = Path(__file__).parents[1] / "docs" / "how-to" / "apps"
MADE = "<!-- Made by `python -m script.app_pages` with `slipway init`; change that, or its recipes. -->"


class Page(NamedTuple):
    """One page: kinds of apps that a reader would look for together."""

    title: str
    opening: str
    kinds: tuple[str, ...]


PAGES = {
    "bun": Page(
        "Apps on Bun",
        "The build brings the version of Bun that the repository names, so neither your machine nor a host needs one. Commands"
        " of workspaces run in the workspace's folder.",
        ("bun", "elysia", "hono-bun", "wskit"),
    ),
    "node": Page(
        "Apps on Node, and on Deno",
        "The build brings Node; the package manager has to be on the machine that builds, and `slipway doctor` says if it is"
        " not. `npm start` is replaced by what it runs, because hosts have no package manager.",
        ("node", "next", "hono-node", "deno"),
    ),
    "python": Page(
        "Apps in Python",
        "Dependencies are installed into `.venv`, which is shipped as a layer of its own. Commands start from the root of the"
        " app, so they name `.venv/bin/…`.",
        ("python", "django", "django-channels", "fastapi", "flask", "python-plain"),
    ),
    "go": Page(
        "Programs in Go",
        "The program is built on your machine or in CI, and only `bin/` and the folders of `build.include` are shipped.",
        ("go",),
    ),
    "rust": Page(
        "Programs in Rust",
        "The program is built on your machine or in CI. It is linked to the C library of the machine that builds: build on a"
        " Debian that is not newer than the hosts'.",
        ("rust",),
    ),
    "static": Page(
        "Static sites",
        "`slipway init` adds `serve.ts`, a small server that Bun runs: files go through the same slots, switch and rollback as"
        " a program. Its Content-Security-Policy lets run the scripts that a page holds and those of hosts that it names; a"
        " handler in an attribute (`onclick`) does not run.",
        ("static", "static-built"),
    ),
    "others": Page(
        "Ruby, PHP, a Dockerfile, and others",
        "`slipway init` writes what it knows, and a `# TO DO:` line for what it does not. `slipway doctor` lists these lines"
        " until you remove them. Ruby and PHP are Debian's, in the runtime layer: hosts need neither. PHP runs behind"
        " lighttpd, whose `lighttpd.conf` serves `public/`; a build is read-only on a host, so an app that writes caches or"
        " logs into its own folder has to be given `/tmp` and its standard output.",
        ("rails", "rack", "php", "dockerfile", "unknown"),
    ),
}

_OPENING = """\
{made}
# {title}
{opening}

```sh
slipway init
slipway doctor
```

`init` says what it found and where, and writes the files below; `doctor` lists what is left, each with the command that
fixes it. Every key is in the [reference](../../slipway-toml.md); how `init` decides is in [slipway init](../../init.md).
From here on every app is shipped in the same way: [on servers](../../servers.md), [on AWS](../../aws.md), or
[on a fleet on your machine](../../local-fleet.md).

"""


def pages() -> dict[Path, str]:
    """Every page of docs/how-to/apps/, by its path. LookupError: a recipe has no page."""
    known = {recipe.id: recipe for recipe in recipes()}
    missing = known.keys() - {kind for page in PAGES.values() for kind in page.kinds}
    if missing:
        raise LookupError(f"no page of script/app_pages.py shows the recipes {', '.join(sorted(missing))}")
    return {FOLDER / f"{name}.md": _page(page, known) for name, page in PAGES.items()}


def _page(page: Page, known: dict[str, Recipe]) -> str:
    opening = _OPENING.format(made=MADE, title=page.title, opening=page.opening)
    return opening + "\n".join(_kind(known[kind]) for kind in page.kinds)


def _kind(recipe: Recipe) -> str:
    with tempfile.TemporaryDirectory() as folder:
        root = make(Path(folder) / "app", REPOSITORIES[recipe.id])
        drafted = draft(root)
        write(root, drafted, "local")
        toml = (root / "slipway.toml").read_text().strip()
    title = "Anything else" if recipe.id == "unknown" else recipe.title
    return f'## {title}\n{_found(drafted)}\n```toml title="slipway.toml"\n{toml}\n```\n'


def _found(drafted: Draft) -> str:
    rows = (f"| {_cell(each.what)} | {_cell(each.why)} |" for each in drafted.found)
    return "\n".join(["| found | where |", "|---|---|", *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
