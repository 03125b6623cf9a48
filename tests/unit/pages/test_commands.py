"""Every command and setting that a page names exists: no page drifts from the program."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import typer
import yaml
from pydantic import BaseModel, ValidationError
from typer.main import get_command

from slipway.cli.app import command_line
from slipway.settings import App, Stack
from slipway.settings.violations import model_at
from tests.unit.pages.blocks import ROOT, blocks, commands, pages, spans

TREE: Any = get_command(command_line())
SMALLEST: dict[str, Any] = {
    "name": "app",
    "runtime": {"name": "none"},
    "processes": {"web": {"command": "./serve"}},
}
"""What a part of a slipway.toml on a page is put into."""
INCOMPLETE = re.compile(r"^Missing |requires an argument")
"""Complaints that count in blocks only: in prose a command stands for all its uses, without values."""
A_STACK: dict[str, Any] = {"name": "prod", "project": "app", "platform": "local"}


def complaint(words: list[str]) -> str:
    """What the command line has against the arguments; empty: nothing. Nothing is run."""
    command = TREE
    if words == ["--install-completion"]:
        return ""  # Typer's own, and it would change this machine's shell.
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    if not words and hasattr(command, "commands"):
        return ""
    try:
        command.make_context("slipway", list(words))
    except typer.Exit:
        return ""
    except Exception as error:
        return getattr(error, "format_message", error.__str__)()
    return f"no such command: {words[0]}" if hasattr(command, "commands") else ""


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_is_one(page: Path):
    wrong = [
        f"{place}: slipway {' '.join(words)}: {problem}"
        for place, words in commands(page)
        if (problem := complaint(words)) and not (":" not in place and INCOMPLETE.search(problem))
    ]
    assert not wrong, "\n".join(wrong)


def test_a_command_that_does_not_exist_would_be_found():
    assert complaint(["relaese"])
    assert complaint(["release", "--stakc", "prod"])
    assert complaint(["secrets", "sett", "NAME"])
    assert complaint(["history", "--limit", "many"])
    assert not complaint(["secrets", "set", "NAME", "--stack", "prod"])


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_toml_block_is_valid(page: Path):
    for block in blocks(page):
        if block.language == "toml" and block.title in ("", "slipway.toml"):
            App.model_validate(merged(SMALLEST, tomllib.loads(block.text)))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_yaml_block_with_settings_of_a_stack_is_valid(page: Path):
    for block in blocks(page):
        if block.language != "yaml" or "slipway:" not in block.text:
            continue
        config = yaml.safe_load(block.text).get("config", {})
        given = {
            key.removeprefix("slipway:"): value for key, value in config.items() if key.startswith("slipway:")
        }
        try:
            Stack.model_validate({**A_STACK, **given})
        except ValidationError as error:
            pytest.fail(f"{block.place}: {error}")


KEY = re.compile(r"[a-z_]+(\.[a-z_]+)+")
TABLES = {*App.model_fields} - {"name"}
TAGS = {"slipway:fleet", "slipway:role"}
"""Written like a setting of a stack, but tags on AWS."""


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_key_that_a_page_names_is_one(page: Path):
    """`retire.hold_seconds` of slipway.toml, `slipway:aws.alerts` of a stack."""
    wrong: list[str] = []
    for span in spans(page.read_text()):
        if re.fullmatch(r"slipway:[a-z_]+(\.[a-z_]+)*", span):
            if span not in TAGS and not exists(Stack, span.removeprefix("slipway:").split(".")):
                wrong.append(span)
        elif KEY.fullmatch(span) and span.split(".")[0] in TABLES:
            path = span.split(".")
            wrong += [] if exists(App, path) or exists(Stack, ["aws", *path]) else [span]
    assert not wrong


def exists(model: type[BaseModel], path: list[str]) -> bool:
    inside = model_at(model, tuple(path[:-1])) if path[:-1] else model
    return inside is not None and path[-1] in {
        name for key, field in inside.model_fields.items() for name in (key, field.alias)
    }


def merged(base: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for key, value in part.items():
        tables = isinstance(both.get(key), dict) and isinstance(value, dict)
        both[key] = merged(both[key], cast("dict[str, Any]", value)) if tables else value
    return both
