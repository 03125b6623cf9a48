"""The Worker is built with the pinned runtime, in an environment without credentials."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from slipway.build.command import BuildFailed
from slipway.build.worker import build_worker
from slipway.settings import App, BadInput
from slipway.settings.app_file import load_app

BOARD = Path(__file__).parents[3] / "examples" / "board"


@pytest.fixture
def app() -> App:
    return load_app(BOARD)


def folder(path: Path, command: str) -> Path:
    (path / "node_modules").mkdir()
    package = {"name": "tried", "scripts": {"worker:build": command}}
    (path / "package.json").write_text(json.dumps(package))
    return path


def test_it_is_built_by_a_runtime_that_is_not_on_path(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "canary")
    (tmp_path / "entry.ts").write_text("export default { token: process.env.CLOUDFLARE_API_TOKEN ?? 'none' }")
    build = "bun build entry.ts --outfile worker/dist/worker.js && env > seen"
    script = build_worker(app, folder(tmp_path, build), None)
    assert "export" in script.read_text()
    assert "canary" not in (tmp_path / "seen").read_text()


def test_a_build_that_fails_says_why(app: App, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="the Worker's build"):
        build_worker(app, folder(tmp_path, "exit 3"), None)


def test_a_build_that_writes_nothing_is_refused(app: App, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"there is no .*worker\.js"):
        build_worker(app, folder(tmp_path, "true"), None)


def test_it_reads_no_secret_from_slipways_environment(app: App, tmp_path: Path) -> None:
    """`slipway up` has the cloud's credentials in its environment while the Worker is built."""
    holder = subprocess.Popen(["sleep", "600"], env={"CLOUDFLARE_API_TOKEN": "canary"})
    site = tmp_path / "app"
    site.mkdir()
    try:
        thief = "mkdir -p worker/dist; cat /proc/*/environ > worker/dist/worker.js; true"
        found = build_worker(app, folder(site, thief), tmp_path / "caches").read_bytes()
    finally:
        holder.kill()
        holder.wait()
    assert b"PATH=" in found
    assert b"canary" not in found
