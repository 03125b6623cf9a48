"""Secrets of a project's other stacks, by which a value that two stacks share is found."""

from pathlib import Path

import pytest

from slipway.platforms.platform import other_secrets, platform_of
from slipway.secrets import age
from slipway.secrets.store import SecretStore
from slipway.settings import App, Project, load_stack

APP = App.model_validate(
    {
        "name": "tiny",
        "runtime": {"name": "bun", "version": "1.3.4"},
        "processes": {"web": {"command": "bun x"}},
    }
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two stacks on this machine, whose secrets one key opens, as in CI."""
    monkeypatch.setenv("SLIPWAY_AGE_KEY", age.new_key())
    (tmp_path / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    for name in ("local", "second"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text("config:\n  slipway:platform: local\n")
    stack, state_dir = load_stack(tmp_path, "local"), tmp_path / ".slipway" / "local"
    return Project(root=tmp_path, stack=stack, app=APP, app_dir=tmp_path, state_dir=state_dir)


def store(project: Project) -> SecretStore:
    return platform_of(project).secret_store()


def test_two_local_stacks_have_a_store_each(project: Project):
    store(project).set("A", "one")
    store(project.on_stack("second")).set("A", "two")
    assert other_secrets(project) == {"second": {"A": "two"}}
    assert other_secrets(project.on_stack("second")) == {"local": {"A": "one"}}


def test_a_stack_without_secrets_has_none_of_this_stack(project: Project):
    store(project).set("A", "one")
    assert other_secrets(project).get("second", {}) == {}
