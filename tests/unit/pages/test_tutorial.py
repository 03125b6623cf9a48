"""The tutorial and the how-to pages are typed, as they stand, into a shell in an empty folder.

What cannot run without hosts is in ELSEWHERE, with the reason. The rest runs in the order of the page, and a
block of output must be what the commands above it print.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.pages.blocks import DOCS, Block, blocks, lines

ELSEWHERE = {
    r"slipway (up|down)\b": "makes or asks hosts; tests/fleet does",
    r"slipway (release|rollback|promote|verify)\b": "needs a fleet; tests/fleet has one",
    r"slipway (status|history|logs|run)\b": "needs a fleet; tests/fleet has one",
    r"slipway (hold|resume|ledger)\b": "needs the bucket of a fleet; tests/fleet has one",
    r"slipway (check|load|meter|drift)\b": "needs a fleet; tests/fleet has one",
    r"slipway secrets .*--stack preview": "needs an AWS account; tests/unit/platforms/aws emulates one",
    r"slipway secrets set SITE_CERTIFICATE\b": "needs a certificate; tests/unit/platforms/servers makes one",
    r"(ssh|curl) ": "needs a fleet",
    r"sudo apt-get ": "installs packages on this machine",
    r"uv tool install ": "installs a tool on this machine",
}
"""Commands that are not run here, and why. They are parsed in test_commands.py all the same."""
MAY_FAIL = re.compile(r"slipway doctor\b")
"""Exit code 1 says that something is missing, which is what the page shows."""
READS_A_VALUE = re.compile(r"slipway secrets set \w+ [^<]*$")
TYPED = sorted((DOCS / "how-to").glob("*.md"))
FROM_NOTHING = ("from-kamal.md", "from-capistrano.md", "from-heroku.md")
"""Pages that begin in an empty folder; the others begin where the tutorial ends."""
MARK = "::block "


def runs_here(line: str) -> bool:
    return not any(re.match(pattern, line) for pattern in ELSEWHERE)


def script_of(page: list[Block]) -> str:
    """The page as a shell script: it writes files and runs commands; a mark begins each block's output."""
    parts = ["set -eo pipefail"]
    for number, block in enumerate(page):
        parts.append(f"echo {shlex.quote(MARK + str(number))}")
        if block.title:
            name = shlex.quote(block.title)
            parts.append(f"mkdir -p $(dirname {name})\ncat >{name} <<'END OF FILE'\n{block.text}END OF FILE")
        elif block.language == "sh":
            parts += [command(line) for line in lines(block.text) if runs_here(line)]
    return "\n".join(parts) + "\n"


def command(line: str) -> str:
    if MAY_FAIL.match(line):
        return f"{line} || [ $? -eq 1 ]"
    return f"{line} <<<'8f3b1c77e0d84a52b6'" if READS_A_VALUE.match(line) else line


def type_in(script: str, folder: Path) -> str:
    """What the shell prints; fails with it if a command fails."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    env = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SLIPWAY_", "XDG_", "CI"))
        },
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
        **{
            f"GIT_{who}_{what}": "reader@example.com"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    work = folder / "work" / "hello" if (folder / "work" / "hello").exists() else folder / "work"
    work.mkdir(exist_ok=True)
    done = subprocess.run(
        ["bash", "-c", script], cwd=work, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def after_the_tutorial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with HOME and project as they are once the tutorial has been typed."""
    folder = tmp_path_factory.mktemp("tutorial")
    type_and_compare(blocks(DOCS / "tutorial.md"), folder)
    return folder


@pytest.mark.parametrize("page", TYPED, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_can_be_typed(tmp_path: Path, page: Path, request: pytest.FixtureRequest):
    typed = blocks(page)
    if not any(runs_here(line) for block in typed if block.language == "sh" for line in lines(block.text)):
        pytest.skip("every command of the page is in ELSEWHERE")
    if page.name not in FROM_NOTHING:
        shutil.copytree(request.getfixturevalue("after_the_tutorial"), tmp_path, dirs_exist_ok=True)
    type_and_compare(typed, tmp_path)


def test_the_tutorial_can_be_typed(after_the_tutorial: Path):
    assert (after_the_tutorial / "work" / "hello" / "slipway.toml").is_file()


def type_and_compare(page: list[Block], folder: Path) -> None:
    printed = type_in(script_of(page), folder)
    outputs = [part.partition("\n")[2] for part in f"\n{printed}".split(f"\n{MARK}")[1:]]
    for typed, output, shown in zip(page, outputs, page[1:], strict=False):
        is_output = typed.language == "sh" and shown.language == "text" and not shown.title
        if is_output and all(runs_here(line) for line in lines(typed.text)):
            missing = set(squeezed(shown.text)) - set(squeezed(output))
            assert not missing, f"{shown.place}: the commands above do not print this"


def test_most_of_the_tutorial_runs_here():
    """A pattern of ELSEWHERE that is too wide would let the pages pass unread."""
    typed = [
        line for block in blocks(DOCS / "tutorial.md") if block.language == "sh" for line in lines(block.text)
    ]
    here = [line for line in typed if runs_here(line)]
    for wanted in (
        "slipway init --platform servers",
        "slipway doctor --stack prod",
        "slipway build --stack local",
    ):
        assert wanted in here
    assert len(here) >= len(typed) / 3


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_every_exception_is_still_used(pattern: str):
    typed = [
        line
        for page in (DOCS / "tutorial.md", *TYPED)
        for block in blocks(page)
        if block.language == "sh"
        for line in lines(block.text)
    ]
    assert any(re.match(pattern, line) for line in typed)
