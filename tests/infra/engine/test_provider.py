"""The local fleet's provider, as far as it needs neither Docker nor the CLI."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pulumi.dynamic.dynamic import serialize_provider  # pyright: ignore[reportUnknownVariableType]

from infra.local import provider
from infra.local.program import wanted_digest
from infra.local.provider import UNKNOWN, FleetProvider, fleet_of, read_fleet
from slipway.settings import Project

PLUGIN = Path(provider.__file__).parent / "plugin" / "pulumi-resource-pulumi-python"
MADE = {"root": "/srv/board", "stack": "local", "settings": "a", "states": {"web1": "running"}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, False),
        ({"settings": "b"}, True),
        ({"root": "/srv/moved"}, True),
        ({"states": {"web1": "exited"}}, True),
        ({"states": {"web1": UNKNOWN}}, True),
    ],
)
def test_it_is_updated_when_settings_change_or_a_host_sleeps(
    change: dict[str, object], expected: bool
) -> None:
    found = FleetProvider().diff("board-local", {**MADE, **change}, MADE)
    assert found.changes is expected
    assert found.replaces == []


def test_the_state_holds_the_providers_name_and_nothing_else() -> None:
    stored = base64.b64decode(serialize_provider(FleetProvider()))
    assert b"infra.local.provider" in stored
    assert len(stored) < 100


def test_the_digest_follows_the_settings(project: Project) -> None:
    stack = project.stack
    more = stack.local.model_copy(update={"web": 3})
    changed = Project(
        root=project.root,
        stack=stack.model_copy(update={"local": more}),
        app=project.app,
        app_dir=project.app_dir,
        state_dir=project.state_dir,
    )
    assert wanted_digest(project) == wanted_digest(project)
    assert wanted_digest(changed) != wanted_digest(project)


OUTPUTS = {"hosts": [{"name": "edge"}, {"name": "web1"}]}


def test_where_docker_does_not_answer_the_hosts_are_unknown_and_not_gone() -> None:
    found = fleet_of({"outputs": OUTPUTS, "states": {}, "problem": "the daemon does not run"})
    assert found == {"outputs": OUTPUTS, "states": {"edge": UNKNOWN, "web1": UNKNOWN}}


def test_a_fleet_is_gone_when_no_container_or_no_outputs_are_left() -> None:
    seen = {"edge": "running", "web1": "missing"}
    there = {"outputs": OUTPUTS, "states": seen}
    assert fleet_of({**there, "problem": ""}) == there
    missing = dict.fromkeys(seen, "missing")
    assert fleet_of({"outputs": OUTPUTS, "states": missing, "problem": ""}) is None
    assert fleet_of({"outputs": None, "states": seen, "problem": ""}) is None


def test_a_fleet_that_was_never_up_is_read_as_gone(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\nmain: infra/\n")
    (tmp_path / "Pulumi.local.yaml").write_text("config:\n  slipway:platform: local\n")
    (tmp_path / "slipway.toml").write_text(
        'name = "shop"\nruntime = { name = "none" }\n[processes.web]\ncommand = "./shop"\n'
    )
    assert read_fleet(str(tmp_path), "local") is None


def test_a_failure_is_reported_with_its_remedy_and_no_traceback(tmp_path: Path) -> None:
    script = (
        "from infra.local import provider; import sys, traceback\n"
        "try: provider.bring_up(sys.argv[1], 'local')\n"
        "except RuntimeError: print(traceback.format_exc())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "no Pulumi.yaml in" in ran.stdout
    assert "run slipway inside a project" in ran.stdout
    assert "File " not in ran.stdout


def test_the_launcher_finds_the_environment_beside_the_project(tmp_path: Path) -> None:
    launcher = tmp_path / "infra/local/plugin" / PLUGIN.name
    launcher.parent.mkdir(parents=True)
    shutil.copy(PLUGIN, launcher)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    env = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    with subprocess.Popen(
        [launcher, "127.0.0.1:1"], cwd=tmp_path / "infra", env=env, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        assert int(server.stdout.readline()) > 0
        server.kill()


def test_the_launcher_says_what_is_missing(tmp_path: Path) -> None:
    launcher = tmp_path / "infra/local/plugin" / PLUGIN.name
    launcher.parent.mkdir(parents=True)
    shutil.copy(PLUGIN, launcher)
    ran = subprocess.run([launcher], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "uv sync" in ran.stderr
