"""The tutorial and the how-to pages are typed, as they stand, into a shell in an empty folder.

What cannot run without hosts is in ELSEWHERE, with the reason. The rest runs in the order of the page, and a
block of output must be what the commands above it print.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.unit.pages.blocks import DOCS, blocks, lines
from tests.unit.pages.shell import type_and_compare

ELSEWHERE = {
    r"slipway (up|down)\b": "makes or asks hosts; tests/fleet does",
    r"slipway (release|rollback|promote|verify)\b": "needs a fleet; tests/fleet has one",
    r"slipway (status|history|logs|run)\b": "needs a fleet; tests/fleet has one",
    r"slipway (hold|resume|ledger)\b": "needs the bucket of a fleet; tests/fleet has one",
    r"slipway (check|load|meter|drift)\b": "needs a fleet; tests/fleet has one",
    r"slipway preview\b": "needs a fleet; tests/fleet has one",
    r"slipway secrets .*--stack preview": "needs an AWS account; tests/unit/platforms/aws emulates one",
    r"slipway secrets set SITE_CERTIFICATE\b": "needs a certificate; tests/unit/platforms/servers makes one",
    r"(ssh|curl) ": "needs a fleet",
    r"sudo apt-get ": "installs packages on this machine",
    r"uv tool install ": "installs a tool on this machine",
}
"""Commands that are not run here, and why. They are parsed in test_commands.py all the same."""
TYPED = sorted((DOCS / "how-to").glob("*.md"))
FROM_NOTHING = ("from-kamal.md", "from-capistrano.md", "from-heroku.md")
"""Pages that begin in an empty folder; the others begin where the tutorial ends."""


def runs_here(line: str) -> bool:
    return not any(re.match(pattern, line) for pattern in ELSEWHERE)


@pytest.fixture(scope="module")
def after_the_tutorial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with HOME and project as they are once the tutorial has been typed."""
    folder = tmp_path_factory.mktemp("tutorial")
    type_and_compare(blocks(DOCS / "tutorial.md"), folder, runs_here)
    return folder


@pytest.mark.parametrize("page", TYPED, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_can_be_typed(tmp_path: Path, page: Path, request: pytest.FixtureRequest):
    typed = blocks(page)
    if not any(runs_here(line) for block in typed if block.language == "sh" for line in lines(block.text)):
        pytest.skip("every command of the page is in ELSEWHERE")
    if page.name not in FROM_NOTHING:
        shutil.copytree(request.getfixturevalue("after_the_tutorial"), tmp_path, dirs_exist_ok=True)
    type_and_compare(typed, tmp_path, runs_here)


def test_the_tutorial_can_be_typed(after_the_tutorial: Path):
    assert (after_the_tutorial / "work" / "hello" / "slipway.toml").is_file()


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
