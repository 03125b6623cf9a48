"""Settings files as a user writes them, in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.settings import App, load_app
from slipway.settings.violations import InvalidSettings

SMALL = """\
name = "board"
runtime = { name = "bun", version = "1.4.5" }

[processes.web]
command = "bun run start"
"""

Load = Callable[[str], App]
Wrong = Callable[[str], list[str]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads a slipway.toml with this text."""
    monkeypatch.chdir(tmp_path)

    def load(text: str) -> App:
        (tmp_path / "slipway.toml").write_text(text)
        return load_app(tmp_path / "slipway.toml")

    return load


@pytest.fixture
def wrong(load: Load) -> Wrong:
    """What a small, right slipway.toml with this text appended is refused for; `place: problem` each."""

    def wrong(more: str) -> list[str]:
        try:
            load(SMALL + more)
        except InvalidSettings as refused:
            return [str(violation) for violation in refused.violations]
        return []

    return wrong


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a stack `local` and a small app in `app/`; the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: board\nruntime: python\nmain: infra/\n")
    (tmp_path / "Pulumi.local.yaml").write_text("config:\n  slipway:platform: local\n  slipway:app: app\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "slipway.toml").write_text(SMALL)
    return tmp_path
