"""A preview's database, Redis and S3 server. Every step may be repeated.

PostgreSQL is shared: a database and roles of its own. On the host, pg_hba.conf lets a role into the database
that has the name of a role it is a member of; on a server elsewhere, which the request names with a role that
may make databases, the right to connect is granted to the preview's roles alone. Redis and S3 are a process
each: Redis' logical databases are open to every user of a server, and with key prefixes an app that lists its
keys, or empties its database, meets others'.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil

from . import durable, layers, program, systemd
from .aws import Cloud
from .errors import AgentError
from .host import Host
from .json_object import JsonObject
from .preview_record import Preview, PreviewPaths

TEMPLATES = "/usr/local/lib/slipway/preview"
"""Placed by the set-up (hosts/previews.py): SQL and configuration, with names between @."""
S3_SETUP = "/usr/local/lib/slipway/s3-setup"
SERVICES = ("redis", "s3")
_PSQL = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--file=-")
_ON_SERVER = f'IFS= read -r PGPASSWORD && export PGPASSWORD && exec psql {" ".join(_PSQL)} "$1"'
_VERIFIER = re.compile(r"SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")
_SECRET = re.compile(r"[A-Za-z0-9]{16,128}")


def unit(service: str, name: str) -> str:
    """The unit of a preview's own server; the template unit is placed by the set-up."""
    return f"preview-{service}@{name}.service"


def make(paths: PreviewPaths, preview: Preview, request: JsonObject) -> None:
    """Make what `request` asks for: `database`, `redis`, `uploads`."""
    if request.has("database"):
        _database(preview, request)
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
        # To enable a unit needs no reload of systemd, which runs all of its generators.
        _systemctl("--no-reload", "enable", *started)
        _systemctl("start", *started)
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


def _database(preview: Preview, request: JsonObject) -> None:
    fields = request.section("database")
    sql = _filled(
        "roles.sql",
        database=preview.database,
        owner_verifier=_secret(fields, "owner_verifier", _VERIFIER),
        app_verifier=_secret(fields, "app_verifier", _VERIFIER),
    )
    _psql(sql, request)


def _psql(sql: str, request: JsonObject) -> str:
    """What psql answers, as the host's own `postgres` or on the server that `request` names."""
    if request.has("server"):
        server = request.section("server")
        # The first line of standard input is the password; all after it is SQL, and psql's to read.
        argv = ("sh", "-c", _ON_SERVER, "psql", server.text("target"))
        sql = f"{server.text('password')}\n{sql}"
    else:
        argv = ("runuser", "-u", "postgres", "--", "psql", *_PSQL)
    done = program.feed(argv, sql.encode())
    if done.code:
        why = next((line for line in done.err.splitlines() if "ERROR" in line), done.err)
        raise AgentError("database", f"PostgreSQL: {why.partition('ERROR:')[2].strip() or why}")
    return done.out


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
    own = [unit(service, preview.name) for service in SERVICES if os.path.exists(_template(service))]
    systemd.stop(own)
    # The caller has systemd read its units again.
    _systemctl("--no-reload", "disable", *own)
    systemd.forget_failures(own)


def _template(service: str) -> str:
    return f"/etc/systemd/system/preview-{service}@.service"


def remove(paths: PreviewPaths, preview: Preview, request: JsonObject) -> None:
    """Remove everything in them, and the database with its roles."""
    layers.delete(paths.data(preview.name))
    if preview.uploads:
        cloud = Cloud(paths, Host(paths).region)
        bucket, prefix = preview.uploads["bucket"], preview.uploads["prefix"]
        for key in cloud.objects(bucket, prefix)[0]:
            cloud.delete_object(bucket, key)
    if request.has("server") or os.path.exists("/etc/slipway/postgresql/roles.sql"):
        _psql(_drop(preview.database), request)


def remove_strays(kept: list[str], request: JsonObject) -> list[str]:
    """Remove previews' databases and roles but those of `kept`: their host is gone. Returns their names."""
    sql = "SELECT rolname FROM pg_roles WHERE rolname ~ '^pv_[a-z0-9_]+_owner$';\n"
    names = {role.removesuffix("_owner") for role in _psql(sql, request).split()}
    strays = sorted(names.difference(kept))
    for name in strays:
        _psql(_drop(name), request)
    return strays


def _drop(name: str) -> str:
    """SQL; `check_name` has seen the name."""
    return (
        f"SELECT 'DROP DATABASE {name} WITH (FORCE)'"  # noqa: S608
        f" FROM pg_database WHERE datname = '{name}' \\gexec\n"
        f"DROP ROLE IF EXISTS {name}_app, {name}_owner, {name};\n"
    )
