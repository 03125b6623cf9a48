"""Each recipe on a repository as its ecosystem writes one: what is taken from it, in files that are valid."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from slipway.adopt.draft import draft
from slipway.adopt.recipe import recipes
from slipway.adopt.write import write
from slipway.settings import App, Project, open_project
from tests.unit.adopt.repositories import REPOSITORIES, make


def adopted(root: Path, kind: str) -> Project:
    """The project that `init` makes of the repository of recipe `kind`."""
    make(root, REPOSITORIES[kind])
    drafted = draft(root)
    assert drafted.recipe.id == kind
    write(root, drafted, "local")
    return open_project("local", root)


def commands(app: App) -> dict[str, str | None]:
    return {name: process.command for name, process in app.processes.items()}


def test_every_recipe_has_a_repository_here():
    assert {recipe.id for recipe in recipes()} == set(REPOSITORIES)


@pytest.mark.parametrize("kind", REPOSITORIES)
def test_what_init_writes_is_valid(tmp_path: Path, kind: str):
    project = adopted(tmp_path, kind)
    assert project.app.web is not None
    assert (tmp_path / ".env.example").is_file()


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("wskit", {"web": "bun src/server.ts"}),
        ("next", {"web": "node .next/standalone/server.js"}),
        ("elysia", {"web": "bun src/index.ts", "worker": "bun src/worker.ts"}),
        ("hono-bun", {"web": "bun src/index.ts"}),
        ("hono-node", {"web": "node dist/index.js"}),
        ("django-channels", {"web": ".venv/bin/daphne -b 127.0.0.1 -p $PORT mysite.asgi:application"}),
        ("django", {"web": ".venv/bin/gunicorn --bind 127.0.0.1:$PORT shop.wsgi:application"}),
        ("fastapi", {"web": ".venv/bin/uvicorn --host 127.0.0.1 --port $PORT app.main:api"}),
        ("flask", {"web": ".venv/bin/gunicorn --bind 127.0.0.1:$PORT web:app"}),
        ("rails", {"web": "bundle exec puma -b tcp://127.0.0.1:$PORT -e production"}),
        ("rack", {"web": "bundle exec puma -b tcp://127.0.0.1:$PORT -e production"}),
        (
            "deno",
            {"web": "env DENO_DIR=.deno deno run --cached-only --allow-net --allow-env --allow-read main.ts"},
        ),
        ("go", {"web": "./bin/links", "worker": "./bin/links work"}),
        ("rust", {"web": "./bin/tally"}),
        ("static-built", {"web": "bun serve.ts"}),
        ("bun", {"web": "bun index.ts"}),
        ("node", {"web": "node server.js"}),
        ("python", {"web": ".venv/bin/python -m bare --port $PORT"}),
        ("python-plain", {"web": "python3 server.py"}),
        ("dockerfile", {"web": None}),
    ],
)
def test_the_start_commands_are_those_of_the_repository(
    tmp_path: Path, kind: str, wanted: dict[str, str | None]
):
    assert commands(adopted(tmp_path, kind).app) == wanted


def test_what_a_package_manager_would_run_is_written_itself(tmp_path: Path):
    node = REPOSITORIES["node"] | {
        "Procfile": "web: npm start\nworker: npx tsx work.ts\nrelease: npm run migrate\n"
    }
    make(tmp_path, node)
    drafted = draft(tmp_path)
    assert {name: each.command for name, each in drafted.processes.items()} == {
        "web": "node server.js",
        "worker": "tsx work.ts",
    }
    assert drafted.migrate == "knex migrate:latest"


def test_a_monorepo_of_bun_installs_once_and_runs_each_process_in_its_workspace(tmp_path: Path):
    app = adopted(tmp_path, "elysia").app
    assert {name: each.directory for name, each in app.processes.items()} == {
        "web": "apps/api",
        "worker": "apps/worker",
    }
    assert app.build.deps.command == "bun install --frozen-lockfile --production"
    assert app.build.deps.inputs == [
        "bun.lock",
        "package.json",
        "apps/*/package.json",
        "packages/*/package.json",
    ]
    assert app.build.deps.paths == ["**/node_modules"]
    assert app.web
    assert (app.web.ready, app.web.health) == ("/ready", "/health")


def test_a_monorepo_s_env_has_its_services_and_secrets(tmp_path: Path):
    project = adopted(tmp_path, "elysia")
    env = project.app.env
    assert env["JWT_SECRET"].generate
    assert env["REDIS_URL"].source == "redis.url"
    assert env["LIBSQL_URL"].value == "libsql://mono.example.turso.io"
    assert env["LIBSQL_AUTH_TOKEN"].secret
    assert not env["LIBSQL_AUTH_TOKEN"].generate
    assert (project.stack.redis, project.stack.database, project.stack.uploads) == (True, "none", False)
    assert project.stack.local.worker == 1


def test_nothing_that_the_app_does_not_use_is_set_up(tmp_path: Path):
    stack = adopted(tmp_path, "hono-bun").stack
    assert (stack.redis, stack.database, stack.uploads, stack.local.worker) == (False, "none", False, 0)


def test_next_copies_what_its_standalone_server_does_not_have(tmp_path: Path):
    app = adopted(tmp_path, "next").app
    assert app.name == "shop"
    assert app.build.include == [".next/standalone/**"]
    assert app.build.command
    assert app.build.command.startswith("npm ci && npm run build && cp -R .next/static .next/standalone")
    assert app.env["NEXT_PUBLIC_SITE"].client
    assert app.web
    assert app.web.ready == "/api/health"


def test_next_without_standalone_output_is_a_thing_to_do(tmp_path: Path):
    make(tmp_path, {**REPOSITORIES["next"], "next.config.ts": "export default {}"})
    assert any("standalone" in edit for edit in draft(tmp_path).edits)


def test_versions_are_those_that_the_repository_names(tmp_path: Path):
    assert adopted(tmp_path, "hono-node").app.runtime.version == "22.21.1"


def test_node_with_pnpm_builds_with_everything_and_ships_production_only(tmp_path: Path):
    build = adopted(tmp_path, "hono-node").app.build
    assert build.command == "pnpm install --frozen-lockfile && pnpm run build"
    assert build.deps.command == "pnpm install --frozen-lockfile --prod"


def test_django_migrates_as_the_owner_with_the_secrets_that_its_settings_read(tmp_path: Path):
    app = adopted(tmp_path, "django-channels").app
    assert app.migrate
    assert app.migrate.command == (
        'DATABASE_URL="$DATABASE_MIGRATE_URL" .venv/bin/python manage.py migrate --noinput'
    )
    assert app.env["DATABASE_MIGRATE_URL"].scope == ["migrate"]
    assert "migrate" in app.env["SECRET_KEY"].scope
    assert "migrate" in app.env["REDIS_URL"].scope
    assert app.websocket
    assert app.websocket.path == "/ws/chat"


def test_django_collects_its_static_files_in_the_build(tmp_path: Path):
    command = adopted(tmp_path, "django").app.build.command
    assert command
    assert command.endswith("manage.py collectstatic --noinput")


def test_rails_gets_the_variables_that_its_own_code_reads(tmp_path: Path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/puma.rb").write_text('environment ENV.fetch("RAILS_ENV") { "development" }')
    (tmp_path / ".env.example").write_text("RAILS_ENV=development\n")
    env = adopted(tmp_path, "rails").app.env
    assert env["RAILS_ENV"].value == "production"
    assert env["SECRET_KEY_BASE"].secret
    assert env["DATABASE_URL"].source == "database.url"
    assert "migrate" in env["SECRET_KEY_BASE"].scope


def test_clients_of_postgres_that_name_no_authority_find_the_database_s(tmp_path: Path):
    """The URL says verify-full, and libpq looks for the authority at home, where a host has nothing."""
    env = adopted(tmp_path, "rails").app.env
    assert env["PGSSLROOTCERT"].source == "database.ca_file"
    assert env["PGSSLROOTCERT"].optional
    assert "migrate" in env["PGSSLROOTCERT"].scope
    own = make(tmp_path / "own", REPOSITORIES["rails"] | {"a.rb": 'ENV.fetch("DATABASE_CA_FILE")'})
    assert "PGSSLROOTCERT" not in draft(own).env.entries


def test_php_without_a_front_controller_in_public_is_a_thing_to_do(tmp_path: Path):
    usual = make(tmp_path / "usual", {"composer.json": "{}", "public/index.php": '<?php "/health";'})
    other = make(tmp_path / "other", {"composer.json": "{}", "web/index.php": '<?php "/health";'})
    assert draft(usual).edits == []
    assert [edit.partition(":")[0] for edit in draft(other).edits] == ["lighttpd.conf"]


def test_go_builds_the_program_that_serves(tmp_path: Path):
    app = adopted(tmp_path, "go").app
    assert app.build.command == "CGO_ENABLED=0 go build -trimpath -o bin/links ./cmd/server"
    assert app.migrate
    assert app.migrate.command == "./bin/links migrate"


def test_what_only_a_person_can_decide_is_said_in_the_file(tmp_path: Path):
    adopted(tmp_path, "unknown")
    assert "# TO DO: processes.web.command" in (tmp_path / "slipway.toml").read_text()


def test_code_that_never_reads_its_port_is_a_thing_to_do(tmp_path: Path):
    make(tmp_path, {"go.mod": "module a\n", "main.go": 'package main\nvar _ = ":8080"\n'})
    assert any(edit.startswith("PORT") for edit in draft(tmp_path).edits)


def test_the_example_app_is_understood_without_its_slipway_toml(tmp_path: Path):
    board = Path(__file__).parents[3] / "examples" / "board"
    left_out = ("slipway.toml", "node_modules", ".slipway")
    shutil.copytree(board, tmp_path / "board", ignore=lambda _, names: set(left_out) & set(names))
    drafted = draft(tmp_path / "board")
    write(tmp_path / "board", drafted, "local")
    app = open_project("local", tmp_path / "board").app
    assert commands(app) == {"web": "bun src/web.ts", "worker": "bun run src/worker.ts"}
    assert app.build.deps.paths == ["node_modules"]
    assert app.migrate
    assert app.migrate.command.startswith("bun run src/migrate.ts")
    assert app.env["DATABASE_MIGRATE_URL"].source == "database.migrate_url"
    assert app.env["DATABASE_MIGRATE_URL"].scope == ["migrate"]
    assert app.env["S3_ACCESS_KEY_ID"].optional
    assert drafted.edits == []
