"""The repository's own stacks by the real engine, with a provider that keeps a record in place of AWS's."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.recording import Graph
from slipway.platforms.pulumi.drift import drift
from slipway.platforms.pulumi.up import destroy, up
from slipway.progress import Silent
from slipway.settings import BadInput, Project, SlipwayError, open_project
from tests.infra.conftest import ROOT, STACKS
from tests.infra.engine.conftest import own_backend
from tests.infra.engine.provider import Record, providers

pytestmark = pytest.mark.timeout(1200)

SECRET = "4dabf18193072939515e22adb298388d"
"""The key by which the engine marks a secret: pulumi/sdk/go/common/resource/sig/sig.go."""


@dataclass
class Engine:
    """One of the stacks in a project of its own, as `slipway init` lays it out."""

    project: Project
    record: Record
    state: Path

    def up(self) -> None:
        up(self.project, Silent())

    def done(self) -> list[tuple[str, str]]:
        """What the engine has had done since the last call."""
        found, self.record.done = self.record.done, []
        return found

    def resources(self) -> list[dict[str, Any]]:
        """What the engine's state holds, secrets encrypted."""
        (file,) = self.state.glob(f".pulumi/stacks/board/{self.project.stack.name}.json")
        latest: dict[str, Any] = json.loads(file.read_text())["checkpoint"]["latest"] or {}
        return latest.get("resources", [])

    def change(self, was: str, becomes: str) -> None:
        """Change the stack's settings."""
        file = self.project.root / f"Pulumi.{self.project.stack.name}.yaml"
        text = file.read_text()
        assert was in text, f"{was} is not in {file.name}"
        file.write_text(text.replace(was, becomes))
        self.project = open_project(self.project.stack.name, self.project.root)


@pytest.fixture
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Engine]:
    state = own_backend(tmp_path, monkeypatch)
    name, root = request.param, tmp_path / "project"
    (root / "infra").mkdir(parents=True)
    (root / "infra/__main__.py").write_text("from infra.__main__ import main\n\nmain()\n")
    (root / "examples").symlink_to(ROOT / "examples")
    (root / "Pulumi.yaml").write_text("name: board\nruntime: python\nmain: infra/\n")
    shutil.copy(ROOT / f"Pulumi.{name}.yaml", root)
    with providers(("aws", "cloudflare")) as (record, attached):
        monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", attached)
        yield Engine(open_project(name, root), record, state)


def custom(graph: Graph) -> list[str]:
    """URNs of what the graph has a provider make."""
    return sorted(each.urn for each in graph.resources if each.custom and not each.type.startswith("pulumi:"))


@pytest.mark.parametrize("engine", STACKS, indirect=True)
def test_up_makes_the_recorded_graph_and_again_nothing(engine: Engine, graphs: dict[str, Graph]) -> None:
    recorded = graphs[engine.project.stack.name]
    engine.up()
    assert sorted(engine.done()) == [("create", urn) for urn in custom(recorded)]
    engine.up()
    assert engine.done() == []

    kept = {each["urn"]: each.get("outputs", {}) for each in engine.resources()}
    secret = [(each.urn, name) for each in recorded.resources for name in each.secret_outputs]
    assert secret, "the stack has secrets"
    plain = [where for where in secret if SECRET not in (kept[where[0]].get(where[1]) or {SECRET: ""})]
    assert plain == []

    if engine.project.stack.aws and engine.project.stack.aws.protect:
        with pytest.raises(BadInput, match="are protected, so nothing was deleted") as refused:
            destroy(engine.project, Silent())
        assert engine.done() == []
        unprotect = ["pulumi", "state", "unprotect", "--all", "--yes", "--stack", engine.project.stack.name]
        assert " ".join(unprotect) in refused.value.remedy
        subprocess.run(unprotect, cwd=engine.project.root, check=True)
    destroy(engine.project, Silent())
    assert sorted(engine.done()) == [("delete", urn) for urn in custom(recorded)]
    assert engine.resources() == []


@pytest.mark.parametrize("engine", ["prod"], indirect=True)
def test_an_update_that_failed_goes_on_where_it_stopped(engine: Engine, graphs: dict[str, Graph]) -> None:
    engine.record.failing = "aws:rds/instance:Instance"
    with pytest.raises(SlipwayError):
        engine.up()
    made = engine.done()
    assert made
    engine.record.failing = ""
    engine.up()
    assert sorted([*made, *engine.done()]) == [("create", urn) for urn in custom(graphs["prod"])]


@pytest.mark.parametrize("engine", ["preview"], indirect=True)
def test_what_would_replace_a_bucket_is_refused_and_drift_is_named(engine: Engine) -> None:
    engine.up()
    engine.done()
    engine.record.drifted = {"database-instance": {"backupRetentionPeriod": 0}}
    named = [each for each in drift(engine.project, Silent()) if each.name == "database-instance"]
    assert [each.path for each in named] == ["backupRetentionPeriod"], named
    engine.record.drifted = {}
    engine.change('account: "123456789012"', 'account: "210987654321"')
    with pytest.raises(BadInput, match="would destroy"):
        engine.up()
    assert engine.done() == []
