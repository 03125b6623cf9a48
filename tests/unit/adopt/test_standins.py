"""What `init` writes for the stand-ins that the fleet's proof ships: apps as their ecosystems write them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from slipway.adopt.draft import draft
from slipway.adopt.recipe import recipes
from slipway.adopt.write import write
from slipway.settings import Project, open_project
from tests.fleet.foreign import STANDINS, Foreign
from tests.fleet.foreign_apps import FOREIGN


def adopted(root: Path, name: str, *left_out: str) -> Project:
    """The project that `init` makes of a stand-in without its slipway.toml."""
    app = root / name
    ignored = shutil.ignore_patterns("node_modules", "slipway.toml", *left_out)
    shutil.copytree(STANDINS / name, app, ignore=ignored)
    write(app, draft(app), "local")
    return open_project("local", app)


def test_every_recipe_has_an_app_that_the_proof_ships_to_hosts():
    """All but the one for repositories that no recipe knows."""
    assert {each.recipe for each in FOREIGN} == {recipe.id for recipe in recipes()} - {"unknown"}


@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
def test_an_app_is_shipped_by_the_recipe_that_it_stands_for(tmp_path: Path, foreign: Foreign):
    source = ("*.go", "go.mod") if foreign.recipe == "dockerfile" else ()
    adopted(tmp_path, foreign.name, *source)
    assert draft(tmp_path / foreign.name).recipe.id == foreign.recipe


@pytest.mark.parametrize(
    ("name", "web", "ready", "to_do"),
    [
        ("chat", "bun src/server.ts", "/ready", []),
        (
            "django",
            ".venv/bin/daphne -b 127.0.0.1 -p $PORT mysite.asgi:application",
            "/readyz",
            [],
        ),
        ("gobinary", "./bin/standin", "/readyz", ["processes.web.command"]),
        ("hono", "node dist/index.mjs", "/health", []),
        ("mono", "bun src/index.ts", "/ready", ["env.LIBSQL_URL"]),
        ("next", "node .next/standalone/server.js", "/api/health", ["cron.digest"]),
        ("plain", "python3 web.py", "/up", []),
        ("fastapi", ".venv/bin/uvicorn --host 127.0.0.1 --port $PORT app.main:app", "/health", []),
        ("rails", "bundle exec puma -b tcp://127.0.0.1:$PORT -e production", "/up", ["runtime.apt"]),
        ("sinatra", "bundle exec puma -b tcp://127.0.0.1:$PORT -e production", "/health", ["runtime.apt"]),
        ("php", "lighttpd -D -m .runtime/debian/usr/lib/lighttpd -f lighttpd.conf", "/health", []),
        ("static", "bun serve.ts", "/", []),
        ("vite", "bun serve.ts", "/", []),
        ("rust", "./bin/tally", "/health", []),
        ("flask", ".venv/bin/gunicorn --bind 127.0.0.1:$PORT web:app", "/health", []),
        ("django-wsgi", ".venv/bin/gunicorn --bind 127.0.0.1:$PORT shop.wsgi:application", "/healthz", []),
        ("python", ".venv/bin/python server.py", "/health", []),
        ("bun", "bun index.ts", "/health", []),
        ("node", "node server.js", "/health", []),
        ("hono-bun", "bun src/index.ts", "/healthz", []),
    ],
)
def test_what_init_cannot_know_is_all_that_it_leaves(
    tmp_path: Path, name: str, web: str, ready: str, to_do: list[str]
):
    project = adopted(tmp_path, name)
    app = project.app
    assert app.web
    assert (app.web.command, app.web.ready) == (web, ready)
    assert re.findall(r"^# TO DO: ([\w.]+)", project.toml.read_text(), re.M) == to_do


def test_django_finds_its_paths_its_server_among_extras_and_migrates_as_the_owner(tmp_path: Path):
    app = adopted(tmp_path, "django").app
    assert app.web
    assert app.web.health == "/healthz"
    assert app.websocket
    assert app.websocket.path == "/ws/chat"
    assert app.migrate
    assert app.migrate.command.startswith('DATABASE_URL="$DATABASE_MIGRATE_URL" ')


def test_a_monorepo_migrates_by_the_program_beside_its_migrations(tmp_path: Path):
    app = adopted(tmp_path, "mono").app
    assert app.migrate
    assert (app.migrate.command, app.migrate.files) == (
        "bun packages/db/migrate.ts",
        "packages/db/migrations/*.sql",
    )


def test_a_dockerfile_alone_is_an_image(tmp_path: Path):
    project = adopted(tmp_path, "image", "*.go", "go.mod")
    assert project.app.runtime.name == "image"
    assert re.findall(r"^# TO DO: ([\w.]+)", project.toml.read_text(), re.M) == ["processes.web.ready"]


def test_python_is_one_that_the_app_allows(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.99"\ndependencies = ["fastapi"]\n'
    )
    assert draft(tmp_path).version == "3.99"
