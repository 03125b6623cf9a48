"""Terraform's tools are found, and what it says is told so that a person can act on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.infra.emulator.plan import planned
from tests.infra.emulator.state import State
from tests.infra.emulator.terraform import Tools, find


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return program


def mirror(folder: Path, *versions: str) -> Path:
    for version in versions:
        (folder / "registry.terraform.io" / "hashicorp" / "aws" / version).mkdir(parents=True)
    return folder


def test_the_newest_provider_of_the_configured_mirror_is_taken(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plugins = mirror(tmp_path / "plugins", "99.9.0", "99.10.0")
    settings = tmp_path / "terraform.rc"
    settings.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{plugins}"\n  }}\n}}\n'
    )
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(settings))
    assert find() == Tools(str(program), plugins, "99.10.0")


def test_a_settings_file_that_is_not_there_is_no_error(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    plugins = mirror(tmp_path / ".terraform.d" / "plugins", "99.0.0")
    assert find() == Tools(str(program), plugins, "99.0.0")


def test_without_terraform_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find() == "no terraform on PATH"


def test_a_change_is_told_with_what_it_was_and_will_be():
    change = {
        "actions": ["update"],
        "before": {"idle_timeout": 60, "log": [{"on": True}], "arn": "a"},
        "after": {"idle_timeout": 120, "log": [{"on": False}]},
        "after_unknown": {"arn": True},
    }
    plan = planned({"resource_changes": [{"mode": "managed", "address": "aws_lb.edge", "change": change}]})
    assert plan.changes == [
        "update aws_lb.edge: arn 'a' -> known later; idle_timeout 60 -> 120; "
        "log [{'on': True}] -> [{'on': False}]"
    ]


def test_nothing_to_do_is_no_change():
    change = {"actions": ["no-op"], "before": {"a": 1}, "after": {"a": 1}}
    plan = planned({"resource_changes": [{"mode": "managed", "address": "aws_lb.edge", "change": change}]})
    assert plan.changes == []
    assert plan.values == {"aws_lb.edge": {"a": 1}}


def test_the_state_file_tells_what_was_made(tmp_path: Path):
    made = {"mode": "managed", "type": "aws_lb", "name": "edge", "instances": [{"attributes": {"id": "x"}}]}
    file = tmp_path / "terraform.tfstate"
    file.write_text(json.dumps({"resources": [made], "outputs": {"url": {"value": "https://x"}}}))
    state = State.read(file)
    assert state.of("aws_lb") == [{"id": "x"}]
    assert state.outputs == {"url": "https://x"}
