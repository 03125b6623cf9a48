"""What other tools' files say is taken over: processes, env, secrets, servers, domain, health path."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from slipway.adopt.draft import draft
from slipway.adopt.write import write
from slipway.settings import BadInput, load_app
from tests.unit.adopt.repositories import make

KAMAL = """\
service: shop
image: acme/shop
servers:
  web: [203.0.113.10, 203.0.113.11]
  job:
    hosts: [203.0.113.12]
    cmd: bin/jobs
proxy:
  ssl: true
  host: shop.example.com
  healthcheck: { path: /up }
registry: { username: acme, password: [<%= ENV["X"] %>] }
env:
  clear: { LOG_LEVEL: info, CACHE_HOST: "${CACHE}" }
  secret: [STRIPE_SECRET_KEY, SESSION_SECRET]
accessories:
  db: { image: "postgres:17", host: 203.0.113.12 }
  redis: { image: "valkey/valkey:8" }
"""
FLY = """\
app = "shop"
[env]
LOG_LEVEL = "info"
[processes]
app = "node server.js"
mail = "node mail.js"
[deploy]
release_command = "node migrate.js"
[http_service]
internal_port = 8080
[[http_service.checks]]
path = "/healthz"
"""
COMPOSE = """\
services:
  api:
    build: .
    command: ["node", "server.js"]
    ports: ["3000:3000"]
    environment: ["LOG_LEVEL=info", "REDIS_URL=redis://cache:6379", "API_TOKEN=${API_TOKEN}"]
  mailer: { build: ., command: node mail.js }
  cache: { image: "redis:8" }
  store: { image: minio/minio }
"""
APP = {"package.json": '{"name": "x", "dependencies": {"express": "5"}}', "package-lock.json": "{}"}


def test_kamal_s_servers_secrets_and_domain_are_taken_over(tmp_path: Path):
    make(tmp_path, {"config/deploy.yml": KAMAL, "server.js": "process.env.PORT"} | APP)
    drafted = draft(tmp_path, "kamal")
    write(tmp_path, drafted, "servers")
    app = load_app(tmp_path)
    assert app.name == "shop"
    assert app.processes["job"].command == "bin/jobs"
    assert app.web
    assert app.web.health == "/up"
    assert app.env["LOG_LEVEL"].value == "info"
    assert app.env["CACHE_HOST"].optional
    assert app.env["STRIPE_SECRET_KEY"].secret
    assert not app.env["STRIPE_SECRET_KEY"].generate
    assert app.env["SESSION_SECRET"].generate
    prod = yaml.safe_load((tmp_path / "Pulumi.prod.yaml").read_text())["config"]
    assert prod["slipway:domain"] == "shop.example.com"
    assert (prod["slipway:database"], prod["slipway:redis"]) == ("postgres", True)
    assert [(each["name"], each["role"], each["ssh"]) for each in prod["slipway:servers"]] == [
        ("edge1", "edge", "root@TO-DO"),
        ("web1", "web", "root@203.0.113.10"),
        ("web2", "web", "root@203.0.113.11"),
        ("worker1", "worker", "root@203.0.113.12"),
        ("data1", "data", "root@TO-DO"),
    ]


def test_fly_s_processes_checks_and_release_command_are_taken_over(tmp_path: Path):
    make(tmp_path, {"fly.toml": FLY} | APP)
    write(tmp_path, draft(tmp_path, "fly"), "local")
    app = load_app(tmp_path)
    assert {name: each.command for name, each in app.processes.items()} == {
        "web": "node server.js",
        "mail": "node mail.js",
    }
    assert app.migrate
    assert app.migrate.command == "node migrate.js"
    assert app.web
    assert app.web.health == "/healthz"


def test_compose_s_services_that_are_built_are_processes_and_images_are_services(tmp_path: Path):
    make(tmp_path, {"compose.yaml": COMPOSE} | APP)
    write(tmp_path, draft(tmp_path, "compose"), "local")
    app = load_app(tmp_path)
    assert {name: each.command for name, each in app.processes.items()} == {
        "web": "node server.js",
        "mailer": "node mail.js",
    }
    assert app.env["REDIS_URL"].source == "redis.url"
    assert app.env["API_TOKEN"].secret
    stack = yaml.safe_load((tmp_path / "Pulumi.local.yaml").read_text())["config"]
    assert (stack["slipway:redis"], stack["slipway:uploads"], stack["slipway:database"]) == (
        True,
        True,
        "none",
    )


def test_only_the_named_tool_is_read(tmp_path: Path):
    make(tmp_path, {"Procfile": "web: node a.js\n", "fly.toml": FLY} | APP)
    assert draft(tmp_path, "procfile").processes["web"].command == "node a.js"
    assert draft(tmp_path, "fly").processes["web"].command == "node server.js"


def test_a_named_tool_without_its_file_is_refused(tmp_path: Path):
    with pytest.raises(BadInput, match=r"no fly\.toml"):
        draft(make(tmp_path, APP), "fly")


def test_the_repository_on_github_is_in_the_aws_stack(tmp_path: Path):
    make(tmp_path, APP)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    url = "git@github.com:acme/shop.git"
    subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", url], check=True)
    write(tmp_path, draft(tmp_path), "aws")
    prod = yaml.safe_load((tmp_path / "Pulumi.prod.yaml").read_text())["config"]
    assert prod["slipway:aws"]["github"]["repository"] == "acme/shop"
