"""A preview's database, Redis and S3 server. Every step may be repeated.

PostgreSQL is shared: a database and roles of its own; pg_hba.conf lets a role into the database that has the
name of a role it is a member of. Redis and S3 are a process each: Redis' logical databases are open to every
user of a server, and with key prefixes an app that lists its keys, or empties its database, meets others'.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil

from . import durable, layers, program, systemd
from .errors import AgentError
from .json_object import JsonObject
from .preview_record import Preview, PreviewPaths

TEMPLATES = "/usr/local/lib/slipway/preview"
"""Placed by the set-up (hosts/previews.py): SQL and configuration, with names between @."""
S3_SETUP = "/usr/local/lib/slipway/s3-setup"
SERVICES = ("redis", "s3")
_VERIFIER = re.compile(r"SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")
_SECRET = re.compile(r"[A-Za-z0-9]{16,128}")


def unit(service: str, name: str) -> str:
    """The unit of a preview's own server; the template unit is placed by the set-up."""
    return f"preview-{service}@{name}.service"


def make(paths: PreviewPaths, preview: Preview, request: JsonObject) -> None:
    """Make what `request` asks for: `database`, `redis`, `uploads`."""
    if request.has("database"):
        _database(preview, request.section("database"))
    os.makedirs(f"{paths.srv}/data", mode=0o755, exist_ok=True)
    os.makedirs(paths.data(preview.name), mode=0o711, exist_ok=True)
    started: list[str] = []
    if request.has("redis"):
        _redis(paths, preview, request.section("redis"))
        started.append(unit("redis", preview.name))
    if request.has("uploads"):
        _uploads(paths, preview, request.section("uploads"))
        started.append(unit("s3", preview.name))
    if started:
        _systemctl("enable", "--now", *started)
    if request.has("uploads"):
        _bucket(preview, request.section("uploads"))


def _systemctl(*arguments: str) -> None:
    done = program.run("systemctl", "--quiet", *arguments)
    if done.code:
        raise AgentError("systemd", f"systemctl {arguments[0]}: {done.err}")


def _filled(template: str, **values: object) -> str:
    with open(f"{TEMPLATES}/{template}", encoding="utf-8") as file:
        text = file.read()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def _secret(fields: JsonObject, key: str, form: re.Pattern[str] = _SECRET) -> str:
    value = fields.text(key)
    if not form.fullmatch(value):
        raise AgentError("bad_request", f"{fields.where}.{key} does not have the form of one")
    return value


def _database(preview: Preview, fields: JsonObject) -> None:
    sql = _filled(
        "roles.sql",
        database=preview.database,
        owner_verifier=_secret(fields, "owner_verifier", _VERIFIER),
        app_verifier=_secret(fields, "app_verifier", _VERIFIER),
    )
    _psql(sql)


def _psql(sql: str) -> None:
    psql = ("runuser", "-u", "postgres", "--", "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-")
    done = program.feed(psql, sql.encode())
    if done.code:
        why = next((line for line in done.err.splitlines() if "ERROR" in line), done.err)
        raise AgentError("database", f"PostgreSQL: {why.partition('ERROR:')[2].strip() or why}")


def _redis(paths: PreviewPaths, preview: Preview, fields: JsonObject) -> None:
    folder = f"{paths.data(preview.name)}/redis"
    os.makedirs(folder, mode=0o700, exist_ok=True)
    shutil.chown(folder, "redis", "redis")
    digest = hashlib.sha256(_secret(fields, "password").encode()).hexdigest()
    text = _filled("redis.conf", port=preview.port(1), digest=digest, folder=folder)
    path = f"{paths.data(preview.name)}/redis.conf"
    durable.write(path, text.encode(), 0o640)
    shutil.chown(path, "root", "redis")


def _uploads(paths: PreviewPaths, preview: Preview, fields: JsonObject) -> None:
    folder = f"{paths.data(preview.name)}/s3"
    for path in (folder, f"{folder}/iam", f"{folder}/data"):
        os.makedirs(path, mode=0o700, exist_ok=True)
        shutil.chown(path, "versitygw", "versitygw")
    account = {
        "access": fields.text("access_key"),
        "secret": _secret(fields, "secret_key"),
        **{"role": "user", "userID": 0, "groupID": 0, "projectID": 0},
    }
    users = json.dumps({"accessAccounts": {account["access"]: account}})
    durable.write(f"{folder}/iam/users.json", users.encode(), 0o600)
    shutil.chown(f"{folder}/iam/users.json", "versitygw", "versitygw")
    secret = _secret(fields, "root_secret_key")
    root = f"PORT={preview.port(2)}\nROOT_ACCESS_KEY=root\nROOT_SECRET_KEY={secret}\n"
    durable.write(f"{paths.data(preview.name)}/s3.env", root.encode(), 0o600)


def _bucket(preview: Preview, fields: JsonObject) -> None:
    """The bucket, as the set-up makes the fleet's."""
    wanted = {
        "endpoint": f"https://127.0.0.1:{preview.port(2)}",
        "region": fields.text("region"),
        "ca": "/etc/slipway/ca.pem",
        "access_key": "root",
        "secret_key": fields.text("root_secret_key"),
        "buckets": [fields.section("bucket").raw],
    }
    done = program.feed((S3_SETUP,), json.dumps(wanted).encode())
    if done.code:
        raise AgentError("uploads", f"the uploads bucket could not be made: {done.err}")


def stop(preview: Preview) -> None:
    """Stop the preview's own servers; they do not start again at boot."""
    _systemctl("disable", "--now", *(unit(service, preview.name) for service in SERVICES))
    systemd.forget_failures([unit(service, preview.name) for service in SERVICES])


def remove(paths: PreviewPaths, preview: Preview) -> None:
    """Remove everything in them, and the database with its roles."""
    layers.delete(paths.data(preview.name))
    if os.path.exists("/etc/slipway/postgresql/roles.sql"):
        name = preview.database
        _psql(
            f"SELECT 'DROP DATABASE {name} WITH (FORCE)'"  # noqa: S608 - check_name has seen the name
            f" FROM pg_database WHERE datname = '{name}' \\gexec\n"
            f"DROP ROLE IF EXISTS {name}_app, {name}_owner, {name};\n"
        )
