"""What services promise, seen red on those that do not: PostgreSQL, Redis, buckets, backups, work."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import boto3
import pytest

from slipway.pipeline.open import OpenStack
from tests.fleet.checks.breaking import RELOAD, Break, done, file, on, rewritten, together, web_source
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

HBA = "/etc/slipway/postgresql/pg_hba.conf"
POOLER = "/etc/pgbouncer/pgbouncer.ini"
REDIS = "/etc/redis/redis.conf"
DUMPS = "/var/backups/slipway"
RELOAD_POOLER = "systemctl reload pgbouncer; sleep 0.2"
RESTART_REDIS = "systemctl reset-failed redis-server; systemctl restart redis-server; for i in $(seq 50); do ss -lnt | grep -q :6379 && exit 0; sleep 0.1; done; exit 1"  # noqa: E501 - a shell's line
RESTART_S3 = "systemctl restart versitygw; for i in $(seq 100); do curl -ksf -o /dev/null https://127.0.0.1:7070/healthz && exit 0; sleep 0.1; done; exit 1"  # noqa: E501 - a shell's line
RELOAD_DATABASE = "systemctl reload postgresql@15-main; sleep 0.2"


def sql(what: str, undo: str, database: str = "") -> Break:
    """One statement as the superuser, and what takes it back; `{name}` is the database's name."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        name = site.outputs.database.name if site.outputs.database else ""

        def run(statements: str) -> None:
            each = "".join(f"{part.strip()};\n" for part in statements.replace("{name}", name).split(";"))
            psql = f"cd / && runuser -u postgres -- psql -X -q -v ON_ERROR_STOP=1 -d {database or name}"
            on(site, "data1", psql, each)

        try:
            run(what)
            yield
        finally:
            run(undo)

    return broken


FRESH = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}_app'"

DATABASE = (
    Case(
        "connections in the clear",
        together(
            file("data1", HBA, "^hostssl", "host", RELOAD_DATABASE),
            file("data1", POOLER, "sslmode = require", "sslmode = allow", RELOAD_POOLER),
        ),
        red=("I5/the-database-refuses-connections-in-the-clear",),
        ask=("I5",),
    ),
    Case(
        "a certificate of nobody's",
        done(
            "data1",
            "cd /etc/slipway/pgbouncer && cp -p server.crt /root/p.crt && cp -p server.key /root/p.key && openssl req -x509 -newkey ec "  # noqa: E501 - a shell's line
            "-pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout /root/n.key -out /root/n.crt 2>/dev/null && "  # noqa: E501 - a shell's line
            f"cat /root/n.key > server.key && cat /root/n.crt > server.crt && {RELOAD_POOLER}",
            f"cd /etc/slipway/pgbouncer && cat /root/p.key > server.key && cat /root/p.crt > server.crt && {RELOAD_POOLER}",  # noqa: E501 - a shell's line
        ),
        red=("I5/the-databases-certificate-is-checked",),
        alone=True,
    ),
    Case(
        "any password",
        file("data1", POOLER, "^auth_type = .*$", "auth_type = trust", RELOAD_POOLER),
        red=("I5/a-wrong-password-is-refused",),
        alone=True,
    ),
    Case(
        "an app that makes databases",
        sql("ALTER ROLE {name}_app CREATEDB", "ALTER ROLE {name}_app NOCREATEDB"),
        red=("I7/the-apps-role-is-no-superuser",),
        says="createdb",
    ),
    Case(
        "an app that makes tables",
        sql("GRANT CREATE ON SCHEMA public TO {name}_app", "REVOKE CREATE ON SCHEMA public FROM {name}_app"),
        red=("I7/the-app-cannot-change-the-schema",),
    ),
    Case(
        "everybody makes tables",
        sql("GRANT CREATE ON SCHEMA public TO PUBLIC", "REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
        red=("I7/everybody-may-do-nothing", "I7/the-app-cannot-change-the-schema"),
        says="PUBLIC",
    ),
    Case(
        "another database within reach",
        sql("CREATE DATABASE elsewhere", "DROP DATABASE elsewhere WITH (FORCE)"),
        red=("I8/the-app-reaches-no-other-database",),
        says="elsewhere",
    ),
    Case(
        "waits without end",
        sql(
            f"ALTER ROLE {{name}}_app SET lock_timeout = 0; {FRESH}",
            f"ALTER ROLE {{name}}_app SET lock_timeout = '5s'; {FRESH}",
        ),
        red=("X15/queries-lock-waits-and-idle-transactions-end",),
        says="lock_timeout",
    ),
    Case(
        "a pool that is too large",
        file("data1", POOLER, "^max_db_connections = .*$", "max_db_connections = 500"),
        red=("I5/pools-fit-the-database",),
        says="500",
    ),
    Case(
        "slow queries in silence",
        sql(
            "ALTER SYSTEM SET log_min_duration_statement = -1; SELECT pg_reload_conf(); SELECT pg_sleep(0.2)",
            "ALTER SYSTEM RESET log_min_duration_statement; SELECT pg_reload_conf(); SELECT pg_sleep(0.2)",
        ),
        red=("I5/slow-queries-and-errors-are-logged",),
    ),
    Case(
        "a migration that is missing",
        sql(
            "UPDATE schema_migrations SET id = id || '-gone' WHERE id LIKE '0004%'",
            "UPDATE schema_migrations SET id = replace(id, '-gone', '')",
        ),
        red=("S1/migrations-are-up-to-date",),
        says="0004",
    ),
)

KEEP_REDIS = (
    Case(
        "Redis as it comes from the package",
        together(
            file("data1", REDIS, "^protected-mode yes$", "protected-mode no"),
            file("data1", "/etc/redis/users.acl", r"#[0-9a-f]{64} (.*)$", "nopass ~* &* +@all"),
            file("data1", "/etc/redis/memory.conf", "maxmemory .*", "maxmemory 0"),
            file("data1", REDIS, "^maxmemory-policy .*$", "maxmemory-policy allkeys-lru", RESTART_REDIS),
        ),
        red=(
            "I4/redis-refuses-without-the-password",
            "I4/redis-throws-nothing-away",
            "I10/redis-has-memory-left",
            "I7/the-app-may-not-administer-redis",
        ),
        ask=("I4/redis", "I10/redis", "I7/the-app-may-not"),
    ),
    Case(
        "an old Redis",
        done(
            "data1",
            "program=$(readlink -f /usr/bin/redis-server); sed 's/7[.]\\([0-9]*[.][0-9]*\\)/6.\\1/g' $program > /usr/local/bin/redis-old && "  # noqa: E501 - a shell's line
            f"chmod 755 /usr/local/bin/redis-old && mount --bind /usr/local/bin/redis-old $program && {{ {RESTART_REDIS}; }}",  # noqa: E501 - a shell's line
            f"umount $(readlink -f /usr/bin/redis-server); rm /usr/local/bin/redis-old; {RESTART_REDIS}",
        ),
        red=("I4/redis-is-version-7-or-newer",),
        says="6.",
    ),
    Case(
        "a queue that a restart empties",
        file("data1", REDIS, "^appendonly yes$", "appendonly no", RESTART_REDIS),
        red=("I4/redis-outlives-a-restart",),
        ask=("I4/redis",),
    ),
)


def redis(what: str, undo: str) -> Break:
    """A shell's lines with `$redis`, the command line of Redis' superuser; and what takes it back."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        password = OpenStack(site.project).secrets["PLATFORM_REDIS_PASSWORD"]
        tool = "read -r REDISCLI_AUTH; export REDISCLI_AUTH; redis='redis-cli --no-auth-warning'"
        try:
            on(site, "data1", f"{tool}; {what}", password + "\n")
            yield
        finally:
            on(site, "data1", f"{tool}; {undo}", password + "\n")

    return broken


FIND_QUEUE = "meta=$($redis --scan --pattern '*:work:meta' | head -1); queue=${meta%meta}wait"
IDLE_WORKER = done(
    "worker1", "systemctl kill -s STOP 'slipway-worker@*'", "systemctl kill -s CONT 'slipway-worker@*'"
)
LONG_QUEUE = redis(
    f'{FIND_QUEUE}; seq 1001 | sed "s|.*|LPUSH $queue none-&|" | $redis >/dev/null',
    f'{FIND_QUEUE}; seq 1001 | sed "s|.*|LREM $queue 0 none-&|" | $redis >/dev/null',
)


def another_account(site: Site) -> AbstractContextManager[None]:
    """The S3 server takes the app's secret from an account of another name too, which may do all."""
    uploads = cast("Any", site.outputs.uploads)

    def change(text: str) -> str:
        accounts = json.loads(text)
        known = accounts["accessAccounts"]
        known["nobody"] = {**known[uploads.access_key], "access": "nobody", "role": "admin"}
        return json.dumps(accounts)

    return rewritten(site, "data1", "/var/lib/versitygw/iam/users.json", change, RESTART_S3)


def policy(which: str, *actions: str, effect: str = "Allow") -> Break:
    """A bucket's policy that allows or denies `actions` to everybody besides."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        opened = OpenStack(site.project)
        root = dict(line.split("=", 1) for line in on(site, "data1", "cat /etc/slipway/s3/root.env").split())
        data = site.outputs.by_role("data")[0]
        port = opened.fleet.web[0].connection.tunnel(data.address, 7070)
        s3: Any = cast("Any", boto3).client(
            "s3",
            endpoint_url=f"https://127.0.0.1:{port}",
            region_name="us-east-1",
            verify=False,
            aws_access_key_id=root["ROOT_ACCESS_KEY"].strip("'\""),
            aws_secret_access_key=root["ROOT_SECRET_KEY"].strip("'\""),
        )
        bucket = site.outputs.builds.bucket if which == "builds" else cast("Any", site.outputs.uploads).bucket
        before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
        loose = json.loads(before)
        resource = f"arn:aws:s3:::{bucket}/*"
        loose["Statement"].append(
            {"Effect": effect, "Principal": "*", "Action": list(actions), "Resource": [resource]}
        )
        try:
            s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(loose))
            yield
        finally:
            s3.put_bucket_policy(Bucket=bucket, Policy=before)

    return broken


OTHERS = (
    Case(
        "keys of another stack",
        redis("$redis SET other-stack:jobs 1", "$redis DEL other-stack:jobs"),
        red=("I8/every-key-has-the-stacks-prefix",),
        says="other-stack",
    ),
    Case(
        "a queue that nobody works off",
        together(IDLE_WORKER, LONG_QUEUE),
        red=("S10/the-queue-is-short",),
        says="1001",
    ),
    Case(
        "an app that may not store uploads",
        policy("uploads", "s3:PutObject", effect="Deny"),
        red=("I6/the-apps-account-can-use-its-own-bucket",),
    ),
    Case("an account that nobody made", another_account, red=("I7/a-wrong-key-opens-no-bucket",)),
    Case(
        "builds that anybody may change",
        policy("builds", "s3:PutObject", "s3:GetObject", "s3:DeleteObject"),
        red=("I7/hosts-may-read-builds-and-not-write-them", "I7/the-apps-account-cannot-touch-builds"),
        ask=("I7/hosts-may", "I7/the-apps-account", "I6/the-apps-account"),
    ),
)

BACKUPS = (
    Case(
        "an old backup",
        done(
            "data1",
            f"for f in {DUMPS}/*.dump; do touch -r $f /root/$(basename $f); touch -d '3 days ago' $f; done",
            f"for f in {DUMPS}/*.dump; do touch -r /root/$(basename $f) $f; done",
        ),
        red=("I12/the-newest-backup-is-fresh",),
        says="hours old",
    ),
    Case(
        "no nightly backup",
        done("data1", "systemctl stop slipway-backup.timer", "systemctl start slipway-backup.timer"),
        red=("I12/backups-are-made-every-night",),
    ),
    Case(
        "backups for all",
        done(
            "data1",
            f"touch {DUMPS}/loose.dump; touch -d '9 days ago' {DUMPS}/loose.dump; chmod 644 {DUMPS}/loose.dump",  # noqa: E501 - a shell's line
            f"rm {DUMPS}/loose.dump",
        ),
        red=("I12/backups-are-for-root-alone",),
        says="loose",
    ),
    Case(
        "a backup that is cut off",
        done(
            "data1",
            f"umask 077; f=$(ls -t {DUMPS}/*.dump | head -1); head -c 2000 $f > {DUMPS}/cut.dump",
            f"rm {DUMPS}/cut.dump",
        ),
        red=("I12/the-newest-backup-can-be-restored",),
    ),
)

WORK = (
    Case(
        "a proxy without metrics",
        file(
            "edge",
            "/etc/haproxy/haproxy.cfg",
            "^ *http-request use-service prometheus-exporter.*$",
            "    http-request deny if { path /metrics }",
            RELOAD,
        ),
        red=("I11/haproxy-serves-its-metrics",),
    ),
    Case(
        "an app without metrics",
        web_source("src/routes/operations.ts", '.get("/metrics"', '.get("/metrix"'),
        red=("I11/the-app-serves-its-metrics",),
    ),
    Case(
        "work that was given up",
        sql(
            "INSERT INTO outbox (topic, payload, dedupe_key, dead_at) VALUES ('none', '{}', 'sabotage', now())",  # noqa: E501 - a shell's line
            "DELETE FROM outbox WHERE dedupe_key = 'sabotage'",
        ),
        red=("S10/nothing-was-given-up",),
    ),
    Case(
        "a clock that nobody winds",
        done(
            "web1",
            "systemctl list-units --type=timer --state=active --plain --no-legend 'slipway-cron-outbox*' | grep -q . && systemctl stop slipway-cron-outbox.timer",  # noqa: E501 - a shell's line
            "systemctl start slipway-cron-outbox.timer",
        ),
        red=("S6/every-cron-entry-has-one-owner",),
        says="no host",
    ),
    Case(
        "a cron entry that fails",
        done(
            "web1",
            "d=/run/systemd/system/slipway-cron-outbox.service.d; mkdir -p $d; printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' > $d/zz.conf; "  # noqa: E501 - a shell's line
            "systemctl daemon-reload; systemctl start slipway-cron-outbox.service; true",
            "rm -r /run/systemd/system/slipway-cron-outbox.service.d; systemctl daemon-reload; systemctl start slipway-cron-outbox.service",  # noqa: E501 - a shell's line
        ),
        red=("S6/no-cron-entry-failed",),
    ),
)


@pytest.mark.parametrize("case", [*DATABASE, *KEEP_REDIS, *OTHERS, *BACKUPS, *WORK], ids=str)
def test_it_is_told(whole: Site, case: Case) -> None:
    prove(whole, case)
