"""A cache of its own for every test, and small projects to build."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slipway.settings import App, Project, Stack

MakeProject = Callable[..., Project]


@pytest.fixture(autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    return home / "slipway"


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    """`make_project({"a.txt": "…"}, build=…)`: a context with these files, and an app without runtime."""

    def make(
        files: dict[str, str], *, folder: str = "app", stack: dict[str, Any] | None = None, **app: Any
    ) -> Project:
        root = tmp_path / folder
        write(root, files)
        settings: dict[str, Any] = {
            "name": "tiny",
            "runtime": {"name": "none"},
            "processes": {"web": {"command": "./serve"}},
            **app,
        }
        return Project(
            root=tmp_path,
            stack=Stack.model_validate(
                {"name": "test", "project": "tiny", "platform": "local", **(stack or {})}
            ),
            app=App.model_validate(settings),
            app_dir=root,
            state_dir=tmp_path / ".slipway" / "test",
        )

    return make


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def commit(root: Path, subject: str = "First") -> None:
    if not (root / ".git").exists():
        git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", subject)


def unpack(layer: Path, folder: Path) -> Path:
    """The layer as a host would unpack it: by zstd and tar."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "--zstd", "-xpf", str(layer), "-C", str(folder)], check=True)
    return folder
