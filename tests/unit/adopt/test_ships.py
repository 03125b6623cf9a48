"""Small apps as their ecosystems write them are built after `init` and serve from another folder."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from hosts.agent.units import search_path, shell
from slipway.settings import open_project
from tests.ports import free_port
from tests.unit.adopt.repositories import Files, make, package
from tests.unit.build.conftest import unpack

START_SECONDS = 60
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
APPS: dict[str, Files] = {
    "deno": {
        "deno.json": package(imports={"ms": "npm:ms@^2.1.3"}),
        "main.ts": """import ms from "ms"
            Deno.serve(
              { hostname: Deno.env.get("HOST"), port: Number(Deno.env.get("PORT")) },
              (request) => new Response(new URL(request.url).pathname === "/health" ? ms(172800000) : "?"),
            )
        """,
    },
    "fastapi": {
        "pyproject.toml": '[project]\nname = "api"\nversion = "1"\n'
        'requires-python = ">=3.11"\ndependencies = ["fastapi", "uvicorn"]\n',
        ".python-version": f"{PYTHON}\n",
        "api/main.py": 'from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get("/health")\n'
        'def health() -> str:\n    return "2d"\n# PORT is in the command\n',
    },
    "flask": {
        "requirements.txt": "flask\ngunicorn\n",
        ".python-version": f"{PYTHON}\n",
        "web.py": 'from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get("/health")\n'
        'def health() -> str:\n    return "2d"\n',
    },
    "rack": {
        "Gemfile": 'source "https://rubygems.org"\ngem "sinatra"\ngem "puma"\n',
        "config.ru": 'require "sinatra/base"\n'
        'class Links < Sinatra::Base\n  get("/health") { "2d" }\nend\nrun Links\n',
    },
}
LOCKS = {"fastapi": ["uv", "lock", "--quiet"]}
EDITS = {
    # Gems of Debian, so that the test needs no registry of gems.
    "rack": (
        ('"ruby-dev"]', '"ruby-sinatra", "puma"]'),
        ("bundle config set --local path vendor/bundle && ", ""),
        ("&& bundle install", "&& bundle install --local"),
    ),
}


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs packages of Debian")
@pytest.mark.parametrize("kind", APPS)
def test_an_app_of_its_kind_is_built_and_serves_from_another_folder(kind: str, tmp_path: Path) -> None:
    app = make(tmp_path / "app", APPS[kind])
    if kind in LOCKS:
        subprocess.run(LOCKS[kind], cwd=app, check=True, timeout=300)
    slipway(app, "init")
    settings = app / "slipway.toml"
    for old, new in EDITS.get(kind, ()):
        assert old in settings.read_text()
        settings.write_text(settings.read_text().replace(old, new))
    subprocess.run(["git", "init", "-q", str(app)], check=True)
    slipway(app, "build", "--output", str(tmp_path / "artifact"))
    slot = tmp_path / "slot"
    for layer in (tmp_path / "artifact" / "layers").iterdir():
        unpack(layer, slot)
    shutil.rmtree(app / ".slipway", ignore_errors=True)
    web = open_project("local", app).app.web
    assert web is not None
    assert web.command is not None
    assert served(slot, web.command, web.ready).strip('"') in ("2d", "2 days")
    components = json.loads((tmp_path / "artifact" / "build.cdx.json").read_text())["components"]
    assert components, "the SBOM names what was shipped"


def slipway(app: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "slipway", *arguments], cwd=app, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def served(slot: Path, command: str, path: str) -> str:
    """The answer of the web command, started as the agent's unit starts it; it ends on its stop signal."""
    port = free_port()
    env = {"PATH": search_path(str(slot)), "HOME": "/nonexistent", "PORT": str(port), "HOST": "127.0.0.1"}
    process = subprocess.Popen(["/bin/sh", "-c", shell(command)], cwd=slot, env=env)
    deadline = time.monotonic() + START_SECONDS
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                    return answer.read().decode()
            except OSError:
                assert process.poll() is None, "the app ended"
                assert time.monotonic() < deadline, "the app does not answer"
                time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
