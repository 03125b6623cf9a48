"""What a repository still lacks before it can be shipped, each with the command that fixes it."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slipway.adopt.write import IGNORED
from slipway.build.source import is_work_tree, read_source
from slipway.settings import Project

TO_DO = re.compile(r"^\s*# TO DO: (?:(?P<key>[^:\n]+): )?(?P<what>.+?)\s*$", re.M)
"""What `init` left for a person, in slipway.toml; whoever has done it removes the line."""
CALLS_TO_DO = re.compile(r"\s*uses: (?:TO-DO/|\S+@TO-DO)")
"""A workflow of `init` that calls one of slipway's, whose repository only a person knows."""
TOOLS = {
    "npm": "apt-get install npm",
    "pnpm": "npm install --global pnpm",
    "yarn": "npm install --global yarn",
    "go": "apt-get install golang",
    "cargo": "apt-get install cargo",
    "bundle": "apt-get install ruby-bundler",
    "composer": "apt-get install composer",
    "uv": "pipx install uv",
}
"""Programs that build commands call, with a command that installs each on Debian. No runtime has one, unless
`runtime.apt` names its package."""


@dataclass(frozen=True)
class Missing:
    """Something to do. `refuses`: a release would fail without it."""

    what: str
    remedy: str
    refuses: bool = False


def missing(project: Project) -> Iterator[Missing]:
    """What is to be done in the repository of `project`; nothing on its hosts."""
    text = project.toml.read_text(encoding="utf-8")
    for match in TO_DO.finditer(text):
        place = f"{project.toml.name}:{text.count(chr(10), 0, match.start()) + 1}"
        key = f" {match['key']}" if match["key"] else ""
        yield Missing(f"{place}{key}: {match['what']}", "do it, then remove the line")
    yield from _workflows(project.root)
    build = project.app.build
    commands = f"{build.command or ''} {build.deps.command or ''}"
    for tool, remedy in TOOLS.items():
        calls = re.search(rf"(?:^|[;&|(]|\s)(?:\w+=\S* )*{tool}(?=[\s)])", commands)
        brought = remedy.rpartition(" ")[2] in {each.partition("=")[0] for each in project.app.runtime.apt}
        if calls and not brought and shutil.which(tool) is None:
            yield Missing(f"{tool} is not on PATH, and the build calls it", remedy, refuses=True)
    yield from _git(project)


def _workflows(root: Path) -> Iterator[Missing]:
    for file in sorted((root / ".github" / "workflows").glob("*.yml")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if CALLS_TO_DO.match(line):
                yield Missing(
                    f".github/workflows/{file.name}:{number}: does not say where slipway's workflow is",
                    "write slipway's repository and a commit of it where TO-DO stands",
                )


def _git(project: Project) -> Iterator[Missing]:
    root = project.root
    if not is_work_tree(root):
        yield Missing(
            f"{root} is not in a git repository: releases name no commit, and builds hold every file",
            "git init && git add -A && git commit -m 'First'",
            refuses=not project.stack.allow_dirty,
        )
        return
    source = read_source(project.context)
    if not project.stack.allow_dirty and (source.dirty or not source.sha):
        yield Missing(
            f"{len(source.changed)} files are not committed: stack {project.stack.name} ships commits only",
            "git add -A && git commit",
            refuses=True,
        )
    if (
        IGNORED[0] not in (root / ".gitignore").read_text().split()
        if (root / ".gitignore").exists()
        else True
    ):
        yield Missing(
            f".gitignore does not name {IGNORED[0]}, which holds keys of local fleets", "slipway init"
        )
