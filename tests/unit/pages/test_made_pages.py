"""Pages that are made from the code are as the code makes them now, and none is forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hosts.agent.main import COMMANDS as AGENT_COMMANDS
from script import app_pages, reference
from tests.unit.pages.blocks import DOCS, ROOT

MADE = {**reference.pages(), **app_pages.pages()}


@pytest.mark.parametrize("page", MADE, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_made_page_is_what_the_code_says(page: Path):
    assert page.read_text() == MADE[page], "script/docs pages"


def test_no_made_page_is_left_of_a_command_or_recipe_that_is_gone():
    there = {*(DOCS / "reference").rglob("*.md"), *(DOCS / "how-to" / "apps").glob("*.md")}
    assert there == set(MADE)


def test_the_agent_s_page_has_every_command_and_no_other():
    table = (DOCS / "agent.md").read_text().partition("## Commands")[2].partition("\n### ")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    started_by_systemd = {"cron", "handover"}
    assert documented == AGENT_COMMANDS.keys() - started_by_systemd
    for name in started_by_systemd:
        assert f"`{name}" in table


def test_the_agent_s_page_has_every_error_code_and_no_other():
    table = (DOCS / "agent.md").read_text().partition("## Error codes")[2].partition("\n## ")[0]
    documented = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE))))
    code = "\n".join(file.read_text() for file in (ROOT / "hosts" / "agent").glob("*.py"))
    raised = set(re.findall(r"AgentError\(\s*\"(\w+)\"", code))
    assert raised - documented == set()
    assert {each for each in documented if f'"{each}"' not in code} == set()


def test_every_page_is_in_the_menu():
    """mkdocs says the same when it builds; this says it without. A hook adds the commands."""
    menu = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    named = set(re.findall(r"[\w/.-]+\.md$", menu, re.MULTILINE))
    wanted = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert named == {each for each in wanted if not re.match("reference/cli/(?!index)", each)}
