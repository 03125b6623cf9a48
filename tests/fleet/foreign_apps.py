"""The stand-ins one by one: what doctor asks of their owners, what users see, how databases are read."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import yaml

from slipway.stack import LiveStack
from tests.fleet.command import slipway
from tests.fleet.foreign import Adopted, Edit, Foreign, Visible
from tests.fleet.libsql import libsql_server, own_address
from tests.fleet.sabotage import edit
from tests.fleet.toy import AgentHost

CRON = '[cron.digest]\nschedule = "*:*:0/10"\npath = "/api/cron/digest"'


def compiled(root: Path) -> None:
    """A program that only its Dockerfile explains: the source stays elsewhere."""
    go = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", "app", "."], cwd=root, env=go, check=True)
    for name in ("main.go", "go.mod"):
        (root / name).unlink()


def compiled_with_musl(root: Path) -> None:
    """The same, linked to musl and loaded by the loader that the image brings, as on Alpine."""
    go = {**os.environ, "CGO_ENABLED": "1", "CC": "musl-gcc"}
    subprocess.run(["go", "build", "-o", "app", "."], cwd=root, env=go, check=True)
    (loader,) = Path("/lib").glob("ld-musl-*.so.1")
    shutil.copy(loader, root / loader.name)
    file = root / "Dockerfile"
    file.write_text(file.read_text().replace("COPY text .", f"COPY text .\nCOPY {loader.name} /lib/"))
    for name in ("main.go", "go.mod"):
        (root / name).unlink()


def _secret(name: str) -> Edit:
    """A secret that somebody else issues, or a person chooses."""

    def done(site: Adopted) -> None:
        value = site.libsql[1] or secrets.token_urlsafe(32)
        assert slipway(site.root, "secrets", "set", name, stdin=value).code == 0

    return Edit(f"secret {name}: is missing", done)


def _database_url(site: Adopted) -> None:
    """The stack's own database, in its own settings."""
    file = site.root / "Pulumi.local.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["config"]["slipway:env"] = {"LIBSQL_URL": site.libsql[0]}
    file.write_text(yaml.safe_dump(settings))
    site.settle("env.LIBSQL_URL")


@contextmanager
def _libsql(site: Adopted) -> Generator[None]:
    """The monorepo's database, on this machine."""
    token = secrets.token_hex(32)
    web = LiveStack(site.project).outputs.by_role("web")[0]
    with libsql_server(own_address(web.address), token) as url:
        site.libsql = (url, token)
        yield


def _libsql_migration(root: Path, number: int) -> None:
    path = root / f"packages/db/migrations/{number + 1:04}_extra.sql"
    path.write_text(f"ALTER TABLE notes ADD COLUMN extra{number} TEXT;\n")


def _libsql_columns(site: Adopted) -> set[str]:
    url, token = site.libsql
    statement = {"sql": "SELECT name FROM pragma_table_info('notes')"}
    answer = httpx.post(
        f"{url}/v2/pipeline",
        headers={"Authorization": f"Bearer {token}"},
        json={"requests": [{"type": "execute", "stmt": statement}]},
    )
    (result,) = answer.raise_for_status().json()["results"]
    return {row[0]["value"] for row in result["response"]["result"]["rows"]}


def _django_migration(root: Path, number: int) -> None:
    before = "0001_initial" if number == 1 else f"{number:04}_extra"
    (root / f"chat/migrations/{number + 1:04}_extra.py").write_text(
        "from django.db import migrations, models\n\n\n"
        "class Migration(migrations.Migration):\n"
        f'    dependencies = [("chat", "{before}")]\n'
        f'    operations = [migrations.AddField("message", "extra{number}", models.TextField(null=True))]\n'
    )


def _columns(table: str) -> Callable[[Adopted], set[str]]:
    """Reads the columns of a table of the app's database, on the database's host."""

    def read(site: Adopted) -> set[str]:
        database = site.outputs.database
        assert database is not None
        query = f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"
        name = urlsplit(database.url).path[1:]
        host = AgentHost(site.project, site.outputs.by_role("data")[0].name)
        return set(host.sh(f'runuser -u postgres -- psql -At -d {name} -c "{query}"').split())

    return read


def _rails_migration(root: Path, number: int) -> None:
    (root / f"db/migrate/2025010100000{number + 1}_add_extra{number}.rb").write_text(
        f"class AddExtra{number} < ActiveRecord::Migration[6.1]\n"
        f"  def change\n    add_column :notes, :extra{number}, :text\n  end\nend\n"
    )


def _gems_of_debian(*packages: str) -> Edit:
    """Debian's own gems in place of those of the registry of gems, which not every machine reaches."""

    def done(site: Adopted) -> None:
        toml = site.root / "slipway.toml"
        site.settle("runtime.apt", '"ruby-dev"', ", ".join(f'"{name}"' for name in packages))
        edit(toml, "bundle config set --local path vendor/bundle && ", "")
        edit(toml, "bundle install", "bundle install --local")

    return Edit("runtime.apt: Ruby is Debian's", done)


PLAIN = Foreign("plain", "python-plain", Visible("web.py", '"/": "hello', "hello"))
GOBINARY = Foreign(
    "gobinary",
    "go",
    Visible("main.go", "<p>hello", "hello"),
    edits=(
        Edit(
            "processes.web.command: main.go wants a subcommand",
            lambda site: site.settle("processes.web.command", '"./bin/standin"', '"./bin/standin web"'),
        ),
    ),
    services={"database": "postgres", "redis": True, "uploads": True},
    hosts={"web": 2, "worker": 1},
    tools=("go",),
)
HONO = Foreign(
    "hono",
    "hono-node",
    Visible("src/index.ts", 'name: "glass"', "glass"),
    edits=(_secret("SMOKE_PASSWORD"),),
    tools=("npm",),
)
CHAT = Foreign(
    "chat",
    "wskit",
    Visible("src/server.ts", '"/health") return new Response("ok"', "ok", "/health"),
    hosts={"web": 2},
)
MONO = Foreign(
    "mono",
    "elysia",
    Visible("apps/api/src/index.ts", '.get("/health", () => "ok")', "ok", "/health"),
    edits=(Edit("env.LIBSQL_URL", _database_url), _secret("LIBSQL_AUTH_TOKEN")),
    beside=_libsql,
    migration=_libsql_migration,
    columns=_libsql_columns,
)
NEXT = Foreign(
    "next",
    "next",
    Visible("app/page.tsx", "<h1>shop</h1>", "shop"),
    edits=(Edit("cron.digest", lambda site: site.settle("cron.digest", more=CRON)),),
    tools=("npm",),
)
DJANGO = Foreign(
    "django",
    "django-channels",
    Visible("chat/views.py", "<h1>chat</h1>", "chat"),
    hosts={"web": 2},
    tools=("uv",),
    migration=_django_migration,
    columns=_columns("chat_message"),
)
IMAGE = Foreign(
    "image",
    "dockerfile",
    Visible("text", "one", "one"),
    edits=(Edit("processes.web.ready: no health path", lambda site: site.settle("processes.web.ready")),),
    prepare=compiled,
    tools=("go",),
)
MUSL = replace(IMAGE, prepare=compiled_with_musl, tools=("go", "musl-gcc"))
RAILS = Foreign(
    "rails",
    "rails",
    Visible("app/controllers/notes_controller.rb", 'plain: "notes"', "notes"),
    edits=(_gems_of_debian("rails", "ruby-pg", "puma"),),
    migration=_rails_migration,
    columns=_columns("notes"),
)
SINATRA = Foreign(
    "sinatra",
    "rack",
    Visible("app.rb", '{ "guests" }', "guests"),
    edits=(_gems_of_debian("ruby-sinatra", "puma"),),
)
STATIC = Foreign("static", "static", Visible("index.html", "<h1>notes", "notes"))
VITE = Foreign("vite", "static-built", Visible("index.html", "<h1>pages", "pages"), tools=("npm",))
FASTAPI = Foreign("fastapi", "fastapi", Visible("app/main.py", 'return "links"', "links"), tools=("uv",))
FLASK = Foreign("flask", "flask", Visible("web/__init__.py", 'Response("guests"', "guests"), tools=("uv",))
WSGI = Foreign("django-wsgi", "django", Visible("shop/urls.py", '"shop"', "shop"), tools=("uv",))
PYTHON = Foreign("python", "python", Visible("server.py", 'text="bare"', "bare"), tools=("uv",))
PHP = Foreign("php", "php", Visible("src/Page.php", "'guests'", "guests"), tools=("composer",))
RUST = Foreign("rust", "rust", Visible("src/main.rs", '"tally"', "tally"), tools=("cargo",))
DENO = Foreign("deno", "deno", Visible("main.ts", '"spans"', "spans"))
BUN = Foreign("bun", "bun", Visible("index.ts", '"tiny"', "tiny"))
NODE = Foreign("node", "node", Visible("server.js", '"old"', "old"), tools=("npm",))
HONO_BUN = Foreign("hono-bun", "hono-bun", Visible("src/index.ts", '"links"', "links"))
FOREIGN = (
    *(PLAIN, GOBINARY, HONO, CHAT, MONO, NEXT, DJANGO, MUSL),
    *(FASTAPI, RAILS, SINATRA, PHP, STATIC, VITE, RUST, DENO),
    *(FLASK, WSGI, PYTHON, BUN, NODE, HONO_BUN),
)
