"""PostgreSQL checks fail on a server with weaker settings."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import done, file, sql
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

POOLER = "/etc/pgbouncer/pgbouncer.ini"
RELOAD_POOLER = "systemctl reload pgbouncer; sleep 0.2"

DATABASE = (
    Case(
        "a certificate of an unknown authority",
        done(
            "data1",
            "cd /etc/slipway/pgbouncer && cp -p server.crt /root/p.crt && cp -p server.key /root/p.key && openssl req -x509 -newkey ec "  # noqa: E501 - a shell's line
            "-pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout /root/n.key -out /root/n.crt 2>/dev/null && "  # noqa: E501 - a shell's line
            f"cat /root/n.key > server.key && cat /root/n.crt > server.crt && {RELOAD_POOLER}",
            f"cd /etc/slipway/pgbouncer && cat /root/p.key > server.key && cat /root/p.crt > server.crt && rm /root/p.key /root/p.crt /root/n.key /root/n.crt && {RELOAD_POOLER}",  # noqa: E501 - a shell's line
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
        "PUBLIC may create tables",
        sql("GRANT CREATE ON SCHEMA public TO PUBLIC", "REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
        red=("I7/public-may-not-create-in-the-schema", "I7/the-app-cannot-change-the-schema"),
        says="PUBLIC",
    ),
    Case(
        "another database within reach",
        sql("CREATE DATABASE elsewhere", "DROP DATABASE elsewhere WITH (FORCE)"),
        red=("I8/the-app-reaches-no-other-database",),
        says="elsewhere",
    ),
    Case(
        "a pool that is too large",
        file("data1", POOLER, "^max_db_connections = .*$", "max_db_connections = 500", RELOAD_POOLER),
        red=("I5/pools-fit-the-database",),
        says="500",
    ),
    Case(
        "slow queries are not logged",
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


@pytest.mark.parametrize("case", DATABASE, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
