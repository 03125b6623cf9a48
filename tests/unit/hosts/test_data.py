"""The data host: rights as narrow as they are said to be, and no password where it need not be."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
from typing import Any

import pytest
from pyinfra.api.command import FileUploadCommand

from hosts.data import backup, pgbouncer, postgres, redis, s3
from hosts.data.bucket_policies import buckets
from hosts.data.certificate import split_pem
from hosts.data.scram import verifier
from hosts.digest import uploaded
from hosts.plan import FleetPlan
from hosts.run import dry_run
from slipway.settings import BadInput, Stack
from tests.unit.hosts.conftest import SECRETS
from tests.unit.hosts.dry import operations, placed


def allowed(plan: FleetPlan, account: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for bucket in buckets(plan):
        statements: list[dict[str, Any]] = bucket["policy"]["Statement"]
        for statement in statements:
            if account in statement["Principal"]["AWS"]:
                found.setdefault(bucket["name"], set()).update(statement["Action"])
    return found


def test_hosts_may_read_builds_and_nothing_else(plan: FleetPlan):
    rights = allowed(plan, "builds-reader")
    assert set(rights) == {"board-local-builds"}
    assert not {action for action in rights["board-local-builds"] if "Put" in action or "Delete" in action}


def test_each_writer_has_its_own_bucket(plan: FleetPlan):
    assert set(allowed(plan, "builds-writer")) == {"board-local-builds"}
    assert set(allowed(plan, "uploads")) == {"board-local-uploads"}


def test_browsers_may_come_from_the_site_alone_and_to_uploads_alone(plan: FleetPlan):
    assert [(b["name"], b["cors"]) for b in buckets(plan)] == [
        ("board-local-builds", None),
        ("board-local-uploads", "https://localhost:8443"),
    ]


def test_no_s3_account_is_an_admin(plan: FleetPlan):
    accounts = json.loads(s3.accounts(plan))["accessAccounts"]
    assert {name: account["role"] for name, account in accounts.items()} == {
        "builds-writer": "user",
        "builds-reader": "user",
        "uploads": "user",
    }


def test_a_verifier_proves_its_password_and_no_other():
    kind, rounds_salt, keys = verifier("board_app", "correct horse").split("$")
    rounds, salt = rounds_salt.split(":")
    stored = base64.b64decode(keys.split(":")[0])

    def proves(password: str) -> bool:
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
        return hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest() == stored

    assert (kind, rounds) == ("SCRAM-SHA-256", "4096")
    assert proves("correct horse")
    assert not proves("another")
    assert verifier("board_app", "correct horse") != verifier("board_owner", "correct horse")


def test_no_password_is_in_any_file_of_postgresql_pgbouncer_or_redis(plan: FleetPlan):
    own = (
        "/etc/slipway/postgresql",
        "/etc/slipway/pgbouncer",
        "/etc/pgbouncer",
        "/etc/redis",
        backup.SETTINGS,
    )
    files = {
        path: file for path, file in placed(plan, plan.outputs.host("data1")).items() if path.startswith(own)
    }
    assert {postgres.ROLES, pgbouncer.CONFIG, redis.USERS, backup.SETTINGS} <= set(files)
    for path, file in files.items():
        assert not [name for name, value in SECRETS.items() if value.encode() in file.data], path


def test_files_with_secrets_are_for_their_owner_only(plan: FleetPlan):
    for host in plan.outputs.hosts:
        for path, file in placed(plan, host).items():
            if any(value.encode() in file.data for value in SECRETS.values()):
                assert file.mode == "600", path


def test_private_keys_are_for_root_and_the_server_that_uses_them(plan: FleetPlan):
    for host in plan.outputs.hosts:
        for path, file in placed(plan, host).items():
            if b"PRIVATE KEY" in file.data:
                assert (file.mode, file.group) in (
                    ("600", "root"),
                    ("640", "postgres"),
                    ("640", "versitygw"),
                ), path


def test_files_with_secrets_have_their_mode_from_the_first_byte(plan: FleetPlan):
    for host in plan.outputs.hosts:
        for name, command in dry_run(plan, host):
            if isinstance(command, FileUploadCommand):
                assert not any(value.encode() in uploaded(command) for value in SECRETS.values()), name
                assert b"PRIVATE KEY" not in uploaded(command), name


def test_the_network_gets_in_by_tls_and_scram_only(plan: FleetPlan):
    hba = placed(plan, plan.outputs.host("data1"))[postgres.HBA].data.decode()
    remote = [line.split() for line in hba.splitlines() if line.startswith("host")]
    assert {line[0] for line in remote} == {"hostssl"}
    assert {line[-1] for line in remote} == {"scram-sha-256"}
    assert {line[3] for line in remote} == {"10.7.0.12/32", "10.7.0.13/32", "10.7.0.14/32"}


def test_the_pool_leaves_connections_for_migrations(plan: FleetPlan):
    assert pgbouncer.POOL + 20 < postgres.MAX_CONNECTIONS


def test_an_external_database_leaves_the_host_without_one(plan: FleetPlan):
    stack = Stack(name="local", project="board", platform="local", database="external", redis=False)
    without = dataclasses.replace(plan, stack=stack)
    host = without.outputs.host("data1")
    names = [name for name in operations(without, host) if not name.startswith("packages ")]
    words = " ".join([*placed(without, host), *names])
    assert not [name for name in ("postgresql/", "pgbouncer", "redis", "backup") if name in words]


def test_a_pem_without_its_key_is_refused(plan: FleetPlan):
    with pytest.raises(BadInput, match="certificate and its private key"):
        split_pem(plan.ca_file.read_bytes())
