"""A project whose cloud is a folder of files, and a real engine with a backend of its own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slipway.platforms.pulumi import refuse_missing
from slipway.settings import App, BadInput, Project, Stack

HERE = Path(__file__).resolve().parent
WORLD = HERE / "world"
BESIDE = {
    "pulumi-language-python": [str(HERE / "language_host.py")],
    "pulumi-resource-pulumi-python": ["-m", "pulumi.dynamic"],
}
"""Programs that Pulumi's release archive has beside the CLI, and how the SDK's Python runs as each."""


@dataclass
class World:
    """One project with one stack, and the folder that stands for its cloud."""

    project: Project
    cloud: Path
    state: Path

    def want(self, **resources: dict[str, Any]) -> None:
        """What the program declares from now on."""
        (self.cloud / "wanted.json").write_text(json.dumps(resources))

    def there(self) -> dict[str, dict[str, Any]]:
        """What is in the cloud, by name."""
        found = [json.loads(path.read_text()) for path in self.cloud.glob("*-??????.json")]
        return {resource["name"]: resource for resource in found}

    def file(self, name: str) -> Path:
        """The file of a resource that is there."""
        return next(iter(self.cloud.glob(f"{name}-??????.json")))

    def commit(self, message: str = "as it is") -> None:
        """Commit the project's folder."""
        git = ["git", "-C", str(self.project.root), "-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", message, "--allow-empty"], check=True)

    def current_stack(self) -> str:
        """Which stack a bare `pulumi` would act on; empty: none."""
        show = ["pulumi", "stack", "--show-name", "--non-interactive"]
        return subprocess.run(
            show, cwd=self.project.root, capture_output=True, text=True, check=False
        ).stdout.strip()

    def locks(self) -> list[Path]:
        """The backend's lock files."""
        return list((self.state / ".pulumi/locks").rglob("*.json"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    root.mkdir()
    app = App.model_validate(
        {"name": "world", "runtime": {"name": "none"}, "processes": {"web": {"command": "./serve"}}}
    )
    return Project(
        root=root,
        stack=Stack(name="test", project="world", platform="local"),
        app=app,
        app_dir=root,
        state_dir=root / ".slipway/test",
    )


def available() -> bool:
    """Are the Pulumi CLI, its Python package and uv here?"""
    try:
        refuse_missing()
    except BadInput:
        return False
    return shutil.which("uv") is not None


@pytest.fixture(scope="session", autouse=True)
def beside_the_cli(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """What a CLI that was built from the Go module proxy lacks."""
    missing = {name: run for name, run in BESIDE.items() if shutil.which(name) is None}
    folder = tmp_path_factory.mktemp("beside")
    for name, run in missing.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-u", *run])} "$@"\n')
        script.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(folder), prepend=os.pathsep)
        yield


def own_backend(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state of the engine's own below `folder`, and its passphrase; skips where there is no engine."""
    if not available():
        pytest.skip("no Pulumi CLI, or no uv, on PATH")
    state = folder / "state"
    state.mkdir()
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{state}")
    monkeypatch.setenv("PULUMI_HOME", str(folder / "home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a passphrase of this test")
    return state


@pytest.fixture
def world(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    state, cloud = own_backend(tmp_path, monkeypatch), tmp_path / "cloud"
    cloud.mkdir()
    shutil.copytree(WORLD, project.root / "program", ignore=shutil.ignore_patterns("__pycache__"))
    runtime = {"name": "python", "options": {"toolchain": "uv", "virtualenv": sys.prefix}}
    settings = {"name": "world", "runtime": runtime, "main": "program"}
    (project.root / "Pulumi.yaml").write_text(json.dumps(settings))
    (project.root / "Pulumi.test.yaml").write_text(
        "config: {slipway:platform: local, slipway:allow_dirty: false}\n"
    )
    # The engine asks the lock file which plugins a program needs: this one, none.
    (project.root / "uv.lock").write_text('version = 1\nrequires-python = ">=3.11"\n')
    subprocess.run(["git", "-C", str(project.root), "init", "-q"], check=True)
    monkeypatch.setenv("CLOUD", str(cloud))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SLIPWAY_APPROVAL_KEY", raising=False)
    return World(project, cloud, state)
