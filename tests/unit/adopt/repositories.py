# ruff: noqa: E501 - each file on one line
"""Small repositories as each ecosystem writes them, by recipe."""

import json
from pathlib import Path

Files = dict[str, str]


def package(**keys: object) -> str:
    return json.dumps(keys)


REPOSITORIES: dict[str, Files] = {
    "wskit": {
        "package.json": package(
            name="chat", dependencies={"@ws-kit/zod": "^0.8.0", "zod": "^4", "ioredis": "^5"},
            scripts={"start": "bun src/server.ts"},
        ),
        "bun.lock": "{}",
        "src/server.ts": 'serve(router, { port: Number(process.env.PORT), path: "/ws", redis: process.env.REDIS_URL })',
    },
    "next": {
        "package.json": package(
            name="@acme/shop", dependencies={"next": "16.0.0", "react": "19.0.0"}, scripts={"build": "next build", "start": "next start"}
        ),
        "package-lock.json": "{}",
        "next.config.ts": 'export default { output: "standalone" }',
        "app/api/health/route.ts": "export const GET = () => Response.json({ ok: true, at: process.env.NEXT_PUBLIC_SITE })",
    },
    "elysia": {
        "package.json": package(name="mono", workspaces=["apps/*", "packages/*"], private=True),
        "bun.lock": "{}",
        "apps/api/package.json": package(
            name="@mono/api",
            dependencies={"elysia": "^1.4", "bullmq": "^5", "@libsql/client": "^0.15"},
            scripts={"start": "bun src/index.ts", "dev": "bun --watch src/index.ts"},
        ),
        "apps/api/src/index.ts": """
            import { Elysia } from "elysia"
            const db = createClient({ url: process.env.LIBSQL_URL, authToken: process.env.LIBSQL_AUTH_TOKEN })
            new Elysia().get("/health", () => "ok").get("/ready", () => "ok").listen(process.env.PORT)
            const jwt = process.env.JWT_SECRET
        """,
        "apps/worker/package.json": package(
            name="@mono/worker", dependencies={"bullmq": "^5"}, scripts={"start": "bun src/worker.ts"}
        ),
        "apps/worker/src/worker.ts": "new Worker('mail', send, { connection: { url: process.env.REDIS_URL } })",
        "packages/db/package.json": package(name="@mono/db"),
        ".env.example": "JWT_SECRET=\nLIBSQL_URL=libsql://mono.example.turso.io\n# REDIS_URL=redis://localhost:6379\n",
    },
    "hono-bun": {
        "package.json": package(name="links", dependencies={"hono": "^4"}, module="src/index.ts"),
        "bun.lock": "{}",
        "src/index.ts": 'app.get("/healthz", (c) => c.text("ok")); export default { port: process.env.PORT, fetch: app.fetch }',
    },
    "hono-node": {
        "package.json": package(
            name="glass", packageManager="pnpm@10.20.0", dependencies={"hono": "^4", "@hono/node-server": "^1"},
            scripts={"build": "esbuild src/index.ts --bundle --platform=node --outfile=dist/index.js", "start": "node dist/index.js"},
        ),
        "pnpm-lock.yaml": "lockfileVersion: '9.0'",
        ".nvmrc": "v22.21.1\n",
        "src/index.ts": 'serve({ fetch: app.fetch, port: Number(process.env.PORT) }); app.get("/health", ok)',
    },
    "django-channels": {
        "pyproject.toml": '[project]\nname = "board"\nversion = "1"\nrequires-python = ">=3.12"\n'
        'dependencies = ["django>=5", "channels[daphne]>=4", "daphne", "channels-redis", "psycopg[binary]"]',
        "uv.lock": "version = 1",
        ".python-version": "3.12\n",
        "manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")',
        "mysite/asgi.py": "application = ProtocolTypeRouter({})",
        "mysite/settings.py": 'SECRET_KEY = os.environ["SECRET_KEY"]\nurl = os.environ["DATABASE_URL"]\nr = os.environ["REDIS_URL"]',
        "mysite/routing.py": 're_path(r"ws/chat/$", consumer); path("/ws/chat", consumer)',
    },
    "django": {
        ".python-version": "3.13\n",
        "requirements.txt": "Django==5.2\ngunicorn==23.0\npsycopg2-binary\n",
        "manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")',
        "shop/settings.py": 'STATIC_ROOT = "static"\nSECRET_KEY = os.environ["SECRET_KEY"]\nDB = env("DATABASE_URL")',
        "shop/urls.py": 'path("healthz", ok)',
    },
    "fastapi": {
        ".python-version": "3.13\n",
        "pyproject.toml": '[project]\nname = "api"\nversion = "1"\ndependencies = ["fastapi[standard]"]',
        "uv.lock": "version = 1",
        "app/main.py": 'api = FastAPI()\n\n@api.get("/health")\ndef health(): ...\n',
    },
    "flask": {
        ".python-version": "3.13\n",
        "requirements.txt": "flask\ngunicorn\n",
        "web/__init__.py": 'app = Flask(__name__)\n@app.route("/health")\ndef health(): ...\n',
    },
    "rails": {"Gemfile": 'gem "rails", "~> 8.0"\ngem "pg"\n', "Gemfile.lock": "", "config.ru": "run Rails.application"},
    "rack": {"Gemfile": 'source "https://rubygems.org"\ngem "sinatra"\ngem "puma"\n', "config.ru": 'get("/health") { "ok" }\nrun App'},
    "deno": {
        "deno.json": package(imports={"ms": "npm:ms@^2.1.3"}, tasks={"start": "deno run -A main.ts"}),
        "main.ts": 'Deno.serve({ port: Number(Deno.env.get("PORT")) }, (r) => new Response("/health"))',
    },
    "go": {
        "go.mod": "module example.com/acme/links/v2\n\ngo 1.22\n",
        "cmd/server/main.go": 'package main\n\nvar port = os.Getenv("PORT")\nvar _ = "/healthz"\n',
        "cmd/seed/main.go": "package main\n",
        "Procfile": "web: ./bin/links\nworker: ./bin/links work\nrelease: ./bin/links migrate\n",
    },
    "rust": {
        "Cargo.toml": '[package]\nname = "tally"\nversion = "0.1.0"\n[dependencies]\naxum = "0.8"\n',
        "Cargo.lock": "",
        "src/main.rs": 'let port = env::var("PORT"); Router::new().route("/health", get(ok));',
    },
    "static-built": {
        "package.json": package(name="site", devDependencies={"vite": "^7"}, scripts={"build": "vite build"}),
        "package-lock.json": "{}",
        "index.html": "<!doctype html>",
    },
    "bun": {"package.json": package(name="tiny"), "bun.lock": "{}", "index.ts": 'Bun.serve({ port: Bun.env.PORT, routes: { "/health": ok } })'},
    "node": {
        "package.json": package(name="old", dependencies={"express": "^5"}, scripts={"start": "node server.js", "migrate": "knex migrate:latest"}),
        "package-lock.json": "{}",
        "server.js": 'app.get("/health", ok); app.listen(process.env.PORT); const url = process.env.DATABASE_URL',
    },
    "python": {
        ".python-version": "3.13\n",
        "pyproject.toml": '[project]\nname = "bare"\nversion = "1"\ndependencies = ["aiohttp"]',
        "uv.lock": "version = 1",
        "Procfile": "web: python -m bare --port $PORT\n",
        "bare/__main__.py": 'add_get("/health", ok)',
    },
    "php": {"composer.json": "{}", "public/index.php": "<?php", "Procfile": "web: php -S 127.0.0.1:$PORT -t public\n"},
    "python-plain": {"server.py": 'port = int(os.environ["PORT"])\nif path == "/health": ...\n'},
    "static": {"index.html": "<!doctype html>", "style.css": ""},
    "dockerfile": {
        "Dockerfile": 'FROM golang AS build\nCMD ["make"]\nFROM scratch\nENTRYPOINT ["/srv/app"]\nCMD ["--listen", ":8080"]\n'
    },
    "unknown": {"README.md": "# hello"},
}  # fmt: skip


def make(root: Path, files: Files) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root
