"""Help in our own panels: all that typer's says, at any width, in colours only where they are wanted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, strategies as st
from typer.main import get_command
from typer.testing import CliRunner

from slipway.cli.app import command_line
from slipway.cli.columns import NARROWEST, lines, widths

APP = command_line()
ROOT: Any = get_command(APP)
PATHS = [
    [name, *inner]
    for name, each in ROOT.commands.items()
    for inner in ([], *([other] for other in getattr(each, "commands", {})))
]
COLOUR = re.compile(r"\x1b\[[\d;]*m")


def shown(*arguments: str, **env: str) -> str:
    done = CliRunner().invoke(APP, [*arguments, "--help"], env={"COLUMNS": "80", **env})
    assert done.exit_code == 0
    return done.stdout


def words(text: str) -> str:
    return "".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help_names_every_option_with_its_text(path: list[str]):
    command = ROOT
    for name in path:
        command = command.commands[name]
    # Wide enough that no cell is wrapped.
    text = words(shown(*path, COLUMNS="400"))
    for parameter in command.params:
        assert words(parameter.help or "") in text
        assert all(name in text for name in parameter.opts if name.startswith("-"))
    assert words(command.help) in text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("path", [[], ["release"], ["run"], ["secrets"], ["load"]], ids=" ".join)
def test_no_line_leaves_the_terminal_and_every_panel_is_closed(path: list[str], width: int):
    text = shown(*path, COLUMNS=str(width))
    assert COLOUR.search(text) is None
    for line in text.splitlines():
        assert len(line) <= width
        assert line[:1] in "╭│╰ " and (line[:1] in ("", " ") or len(line) == width), line


def test_colours_are_for_terminals_and_for_those_who_ask():
    assert COLOUR.search(shown()) is None
    assert COLOUR.sub("", coloured := shown(FORCE_COLOR="1")) == shown()
    assert "\x1b[1;36m--version\x1b[0m" in coloured
    assert COLOUR.search(shown(FORCE_COLOR="1", NO_COLOR="1")) is None


def test_help_needs_neither_rich_nor_schemas():
    env = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    command = [sys.executable, "-m", "slipway", "--help"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"rich", "pydantic", "yaml", "boto3", "pygments", "attr"}


cells = st.lists(st.tuples(*[st.text("ab -\n", max_size=40)] * 3), min_size=1, max_size=4)


@given(cells, st.integers(3 * NARROWEST, 100))
def test_columns_fit_their_room_and_lose_nothing(rows: list[tuple[str, str, str]], room: int):
    found = widths(rows, room)
    assert sum(found) <= room
    for row in rows:
        written = list(lines(row, found))
        assert all([len(cell) for cell in line] == found for line in written)
        for number, cell in enumerate(row):
            assert "".join("".join(line[number] for line in written).split()) == "".join(cell.split())
