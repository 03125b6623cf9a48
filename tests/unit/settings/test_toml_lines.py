from __future__ import annotations

import tomllib
from typing import Any, cast

import pytest
from hypothesis import given, settings, strategies as st

from slipway.settings.app_file import TomlLines
from slipway.settings.violations import KeyPath

TEXT = '''\
# a comment with [brackets] and key = "value"
name = "board"
"quoted key" = 1
owner.first = "a"

[build]            # trailing
include = [
  "src/**",        # [not a table]
  "public/**",
]
deps = { command = "x = y", paths = ["a", "b"] }
text = """
[not.a.table]
key = "no"
"""

[processes.web]
command = 'run ] } ='

[[smoke.steps]]
name = "one"
capture = { token = "a.b" }

[[smoke.steps]]
name = "two"

[smoke.steps.headers]
accept = "x"

[smoke]
timeout_seconds = 3
'''


def test_every_kind_of_key_is_found_on_its_line():
    lines = TomlLines(TEXT)
    expected: dict[KeyPath, int] = {
        ("name",): 2,
        ("quoted key",): 3,
        ("owner",): 4,
        ("owner", "first"): 4,
        ("build",): 6,
        ("build", "include"): 7,
        ("build", "include", 0): 8,
        ("build", "include", 1): 9,
        ("build", "deps", "command"): 11,
        ("build", "deps", "paths", 1): 11,
        ("build", "text"): 12,
        ("processes", "web"): 17,
        ("processes", "web", "command"): 18,
        ("smoke", "steps", 0): 20,
        ("smoke", "steps", 0, "capture", "token"): 22,
        ("smoke", "steps", 1, "name"): 25,
        ("smoke", "steps", 1, "headers", "accept"): 28,
        ("smoke", "timeout_seconds"): 31,
    }
    assert {path: lines.line(path) for path in expected} == expected


def test_a_missing_key_is_shown_where_its_table_is_opened():
    assert TomlLines(TEXT).line(("processes", "web", "health")) == 17
    assert TomlLines(TEXT).line(("smoke",)) == 30
    assert TomlLines(TEXT).line(("nothing", "here")) == 0


def test_windows_line_ends_count_as_one_line():
    assert TomlLines(TEXT.replace("\n", "\r\n")).line(("processes", "web", "command")) == 18


@pytest.mark.parametrize(
    "text", ["a = [}", "a = [1, }", "a = {b = ]", "a = ", "[", "a.", "= ", "a = [[", 'a = "']
)
def test_the_scan_of_a_broken_text_ends(text: str):
    assert TomlLines(f"first = 1\n{text}").line(("first",)) == 1


@settings(max_examples=500)
@given(st.text(alphabet="ab=[]{}\"'#.,\n \\1", max_size=60))
def test_whatever_the_text_the_scan_ends_and_finds_all_that_toml_finds(text: str):
    lines = TomlLines(text)
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for path in _paths(parsed):
        assert lines.line(path) > 0


def _paths(value: object, at: KeyPath = ()) -> list[KeyPath]:
    if isinstance(value, dict):
        inner = [(*at, key) for key in cast("dict[str, Any]", value)]
        items = list(cast("dict[str, Any]", value).values())
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        inner = [(*at, index) for index in range(len(items))]
    else:
        return []
    return [*inner, *(path for place, item in zip(inner, items, strict=True) for path in _paths(item, place))]
