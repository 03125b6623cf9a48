"""Checks of PostgreSQL fail on one that was loosened: in its files, in itself, or until a reload."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.debian import DEBIAN
from tests.fleet.checks.breaking import Break, done, file, rewritten, sql
from tests.fleet.checks.harness import Case, prove
from tests.fleet.checks.test_hosts import opened
from tests.fleet.site import Site

HBA = "/etc/slipway/postgresql/pg_hba.conf"
IDENT = "/etc/slipway/postgresql/pg_ident.conf"
CONF = "/etc/slipway/postgresql/slipway.conf"
POOLER = "/etc/pgbouncer/pgbouncer.ini"
CLUSTER = f"/etc/postgresql/{DEBIAN.postgresql}/main"
DROP_IN = f"{CLUSTER}/conf.d/zz.conf"
RELOAD = f"systemctl reload postgresql@{DEBIAN.postgresql}-main; sleep 0.3"
RELOAD_POOLER = "systemctl reload pgbouncer; sleep 0.3"
RESTART_POOLER = "systemctl restart pgbouncer; sleep 0.5"
"""A reload forgets neither a database that was made up on the way nor an administrator."""
SQL_RELOAD = "SELECT pg_reload_conf(); SELECT pg_sleep(0.3)"

IN_THE_CLEAR = "I5/the-database-refuses-connections-in-the-clear"
ANY_PASSWORD = "I5/a-wrong-password-is-refused"
NO_PASSWORD = "I5/no-account-gets-in-without-a-password"
HBA_RULES = "I5/pg-hba-lets-in-only-the-apps-roles-from-the-apps-hosts"
HBA_LOADED = "I5/pg-hba-is-loaded-as-it-stands"
POOLER_RUNS = "I5/the-pooler-runs-as-its-file-says"
ROLES = "I7/the-database-has-no-role-that-set-up-did-not-make"
SUPERUSERS = "I7/only-postgres-is-a-superuser"
MEMBERS = "I7/no-role-is-a-member-of-another"
PASSWORDS = "I5/passwords-are-kept-as-scram"
OWNERS = "I7/everything-belongs-to-the-migrations-role"
LENT = "I7/no-function-lends-the-superusers-rights"
REACH = "I7/sql-cannot-reach-files-and-other-servers"
PUBLIC = "I7/public-has-no-right-on-any-table"
RIGHTS_BEYOND = "I7/roles-have-only-the-rights-that-set-up-grants"
COPIED = "I7/nothing-copies-the-database-elsewhere"
FRAGILE = "I5/tables-keep-what-was-written"
HELD = "I5/nothing-keeps-old-rows-and-log"
DURABLE = "I5/accepted-writes-survive-a-power-cut"
COMMITS = "I5/a-fresh-session-commits-to-disk"
ENCRYPTS = "I5/the-database-encrypts-as-set-up"
LOGGED = "I5/connections-are-logged-and-values-are-not"
TIME_OUTS = "X15/a-fresh-session-has-time-outs"
ROLE_SETTINGS = "X15/roles-have-no-settings-but-time-outs"
FILES = "I5/the-database-runs-with-what-its-files-say"
AT_BOOT = "I3/data-services-start-at-boot"
REACHED = "I5/only-the-apps-hosts-reach-database-and-redis"
ALL = (
    IN_THE_CLEAR, ANY_PASSWORD, NO_PASSWORD, HBA_RULES, HBA_LOADED, POOLER_RUNS, ROLES, SUPERUSERS, MEMBERS,
    PASSWORDS, OWNERS, LENT, REACH, PUBLIC, DURABLE, COMMITS, ENCRYPTS, LOGGED, TIME_OUTS, ROLE_SETTINGS,
    FILES, AT_BOOT, REACHED, RIGHTS_BEYOND, COPIED, FRAGILE, HELD,
)  # fmt: skip
"""What each case runs, so that it shows which of them it turns red and which it does not."""


def rule(line: str, then: str = RELOAD) -> Break:
    """A first line in pg_hba.conf; `{web}` is a web host's address, `{name}` the database's name."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        added = line.format(web=site.outputs.by_role("web")[0].address, name=_name(site))
        with rewritten(site, "data1", HBA, lambda text: f"{added}\n{text}", then):
            yield

    return broken


def _name(site: Site) -> str:
    """Name of the site's database."""
    return site.outputs.database.name if site.outputs.database else ""


def edited_back(path: str, line: str, reload: str = RELOAD) -> Break:
    """A first line that is loaded, after which the file is as it was; at the end it is loaded so."""
    edit = f"cp -p {path} /root/kept && {{ echo '{line}'; cat /root/kept; }} > {path} && {{ {reload}\n}}"
    return done("data1", f"{edit} && cat /root/kept > {path}", reload)


def drop_in(line: str) -> Break:
    return done("data1", f'echo "{line}" > {DROP_IN}; {RELOAD}', f"rm -f {DROP_IN}; {RELOAD}")


def altered(name: str, value: str) -> Break:
    """ALTER SYSTEM."""
    return sql(f"ALTER SYSTEM SET {name} = {value}; {SQL_RELOAD}", f"ALTER SYSTEM RESET {name}; {SQL_RELOAD}")


def pooler(pattern: str, new: str, then: str = RELOAD_POOLER) -> Break:
    return file("data1", POOLER, pattern, new, then)


ACCESS = (
    Case(
        "PostgreSQL without a password for the whole network",
        rule("host all all 0.0.0.0/0 trust"),
        red=(HBA_RULES, NO_PASSWORD, ANY_PASSWORD, IN_THE_CLEAR),
        run=ALL,
        says="without TLS",
    ),
    Case(
        "such a rule, loaded and edited back",
        edited_back(HBA, "host all all 0.0.0.0/0 trust"),
        red=(HBA_LOADED, NO_PASSWORD, ANY_PASSWORD, IN_THE_CLEAR),
        run=ALL,
    ),
    Case(
        "such a rule, which the next reload loads",
        rule("host all all 0.0.0.0/0 trust", "true"),
        red=(HBA_RULES, HBA_LOADED),
        run=ALL,
    ),
    Case(
        "any account from a web host",
        rule("hostssl all all {web}/32 scram-sha-256"),
        red=(HBA_RULES,),
        run=ALL,
    ),
    Case(
        "the app from any host",
        rule("hostssl {name} {name}_app 0.0.0.0/0 scram-sha-256"),
        red=(HBA_RULES,),
        run=ALL,
    ),
    Case(
        "passwords by MD5",
        rule("hostssl {name} {name}_app {web}/32 md5"),
        red=(HBA_RULES,),
        run=ALL,
        says="md5",
    ),
    Case("everyone on the host", rule("local all all trust"), red=(HBA_RULES,), run=ALL, says="the socket"),
    Case(
        "the system user is the owner too",
        lambda site: rewritten(
            site,
            "data1",
            IDENT,
            lambda text: f"{text}slipway postgres {_name(site)}_owner\n",
            RELOAD,
        ),
        red=(HBA_RULES,),
        run=ALL,
        says="pg_ident",
    ),
    Case(
        "a pooler that needs no TLS",
        pooler("^client_tls_sslmode = .*$", "client_tls_sslmode = allow"),
        red=(IN_THE_CLEAR, POOLER_RUNS),
        run=ALL,
        says="the pooler",
    ),
    Case(
        "a pooler for every database",
        pooler(r"^\[databases\]$", "[databases]\n* = host=/var/run/postgresql port=5432", RESTART_POOLER),
        red=(POOLER_RUNS,),
        run=ALL,
        # It fails for postgres, whose verifier it cannot read: no proof that it refuses.
        untried=(ANY_PASSWORD, NO_PASSWORD),
        says="*",
    ),
    Case(
        "a pooler that makes every client the owner",
        lambda site: rewritten(
            site,
            "data1",
            POOLER,
            lambda text: text.replace("port=5432 dbname", "port=5432 user=pgbouncer dbname"),
            RELOAD_POOLER,
        ),
        red=(POOLER_RUNS,),
        run=(POOLER_RUNS, HBA_RULES),
        says="becomes",
    ),
    Case(
        "a pooler that the app may command",
        pooler("^auth_user = ", "admin_users = everyone\nauth_user = ", RESTART_POOLER),
        red=(POOLER_RUNS,),
        run=ALL,
        says="admin_users",
    ),
    Case(
        "a pooler whose file was edited and not loaded",
        pooler("^query_wait_timeout = .*$", "query_wait_timeout = 0", "true"),
        red=(POOLER_RUNS,),
        run=ALL,
        says="query_wait_timeout",
    ),
    Case(
        "a port that every host reaches",
        opened("data1", 5432),
        red=(REACHED,),
        run=ALL,
        says="edge reaches",
    ),
)

RIGHTS = (
    Case(
        "a second superuser",
        sql("CREATE ROLE spare SUPERUSER LOGIN", "DROP ROLE spare"),
        red=(ROLES, SUPERUSERS),
        run=ALL,
        says="spare (superuser)",
    ),
    Case(
        "an account that was left behind",
        sql("CREATE ROLE analyst LOGIN PASSWORD 'Xk29dkLm20'", "DROP ROLE analyst"),
        red=(ROLES,),
        run=ALL,
        says="analyst",
    ),
    Case(
        "an app that runs programs on the host",
        sql(
            "GRANT pg_execute_server_program TO {name}_app",
            "REVOKE pg_execute_server_program FROM {name}_app",
        ),
        red=(MEMBERS,),
        run=ALL,
        says="pg_execute_server_program",
    ),
    Case(
        "an app that is the owner",
        sql("GRANT {name}_owner TO {name}_app", "REVOKE {name}_owner FROM {name}_app"),
        red=(MEMBERS,),
        run=ALL,
    ),
    Case(
        "migrations that make roles",
        sql("ALTER ROLE {name}_owner CREATEROLE", "ALTER ROLE {name}_owner NOCREATEROLE"),
        red=(SUPERUSERS,),
        run=ALL,
        says="createrole",
    ),
    Case(
        "a pooler's role that replicates",
        sql("ALTER ROLE pgbouncer REPLICATION", "ALTER ROLE pgbouncer NOREPLICATION"),
        red=(SUPERUSERS,),
        run=ALL,
        says="replication",
    ),
    Case(
        "a password as MD5",
        sql(f"ALTER ROLE pgbouncer PASSWORD 'md5{'a' * 32}'", "ALTER ROLE pgbouncer PASSWORD NULL"),
        red=(PASSWORDS,),
        run=ALL,
        says="md5",
    ),
    Case(
        "a superuser with a password",
        sql("ALTER ROLE postgres PASSWORD 'Xk29dkLm20'", "ALTER ROLE postgres PASSWORD NULL"),
        red=(PASSWORDS,),
        run=ALL,
        says="postgres",
    ),
    Case(
        "a table of the superuser",
        sql("CREATE TABLE left_behind (id int)", "DROP TABLE left_behind"),
        red=(OWNERS,),
        run=ALL,
        says="left_behind",
    ),
    Case(
        "a schema of the app",
        sql("CREATE SCHEMA own AUTHORIZATION {name}_app", "DROP SCHEMA own"),
        red=(OWNERS,),
        run=ALL,
        says="own",
    ),
    Case(
        "a function with the superuser's rights",
        sql(
            "CREATE FUNCTION as_root() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
            "DROP FUNCTION as_root()",
        ),
        red=(LENT, OWNERS),
        run=ALL,
        says="as_root",
    ),
    Case(
        "SQL that reaches other servers",
        sql("CREATE EXTENSION dblink", "DROP EXTENSION dblink"),
        red=(REACH, LENT),
        run=ALL,
    ),
    Case(
        "a table for everyone",
        sql("GRANT SELECT ON users TO PUBLIC", "REVOKE SELECT ON users FROM PUBLIC"),
        red=(PUBLIC,),
        run=ALL,
        says="SELECT on users",
    ),
    Case(
        "an app that reads files of the host",
        sql(
            "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {name}_app",
            "REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM {name}_app",
        ),
        red=(RIGHTS_BEYOND,),
        run=ALL,
        says="pg_read_file",
    ),
    Case(
        "an app that makes tables",
        sql("GRANT CREATE ON SCHEMA public TO {name}_app", "REVOKE CREATE ON SCHEMA public FROM {name}_app"),
        red=(RIGHTS_BEYOND,),
        run=ALL,
        says="CREATE on schema public",
    ),
    Case(
        "an app that empties a table",
        sql("GRANT TRUNCATE ON users TO {name}_app", "REVOKE TRUNCATE ON users FROM {name}_app"),
        red=(RIGHTS_BEYOND,),
        run=ALL,
        says="TRUNCATE on relation users",
    ),
    Case(
        "everyone reads the passwords' digests",
        sql(
            "GRANT SELECT (rolpassword) ON pg_authid TO PUBLIC",
            "REVOKE SELECT (rolpassword) ON pg_authid FROM PUBLIC",
        ),
        red=(RIGHTS_BEYOND,),
        run=ALL,
        says="pg_authid",
    ),
    Case(
        "a publication",
        sql("CREATE PUBLICATION everything FOR ALL TABLES", "DROP PUBLICATION everything"),
        red=(COPIED,),
        run=ALL,
        says="everything",
    ),
    Case(
        "a copy of the database",
        sql("CREATE DATABASE copy", "DROP DATABASE copy"),
        red=(COPIED,),
        run=ALL,
        says="database copy",
    ),
    Case(
        "a table that a crash empties",
        sql("ALTER TABLE daily_summaries SET UNLOGGED", "ALTER TABLE daily_summaries SET LOGGED"),
        red=(FRAGILE,),
        run=ALL,
        says="UNLOGGED",
    ),
    Case(
        "a table that is not vacuumed",
        sql(
            "ALTER TABLE outbox SET (autovacuum_enabled = false)",
            "ALTER TABLE outbox RESET (autovacuum_enabled)",
        ),
        red=(FRAGILE,),
        run=ALL,
        says="outbox",
    ),
    Case(
        "a replication slot that was left",
        sql(
            "SELECT pg_create_physical_replication_slot('left_behind', true)",
            "SELECT pg_drop_replication_slot('left_behind')",
        ),
        red=(HELD,),
        run=ALL,
        says="left_behind",
    ),
)

SETTINGS = (
    Case("fsync is off", altered("fsync", "off"), red=(DURABLE, FILES), run=ALL, says="fsync is off"),
    Case("full_page_writes is off", drop_in("full_page_writes = off"), red=(DURABLE,), run=ALL),
    Case("damaged pages are emptied", drop_in("zero_damaged_pages = on"), red=(DURABLE,), run=ALL),
    Case(
        "fsync is off, and the file says nothing",
        done("data1", f"echo fsync=off > {DROP_IN}; {RELOAD}; rm {DROP_IN}", RELOAD),
        red=(DURABLE, FILES),
        run=ALL,
    ),
    Case(
        "the app commits to memory",
        sql(
            "ALTER ROLE {name}_app IN DATABASE {name} SET synchronous_commit = off",
            "ALTER ROLE {name}_app IN DATABASE {name} RESET ALL",
        ),
        red=(COMMITS, ROLE_SETTINGS),
        run=ALL,
    ),
    Case(
        "no time-out in this database alone",
        sql(
            "ALTER ROLE {name}_app IN DATABASE {name} SET lock_timeout = 0",
            "ALTER ROLE {name}_app IN DATABASE {name} RESET ALL",
        ),
        red=(TIME_OUTS, ROLE_SETTINGS),
        run=ALL,
        says="lock_timeout is 0",
    ),
    Case(
        "no time-out for any role of this database",
        sql("ALTER DATABASE {name} SET statement_timeout = 0", "ALTER DATABASE {name} RESET ALL"),
        red=(ROLE_SETTINGS,),
        run=ALL,
        says="every role",
    ),
    Case(
        "migrations wait for locks for ever",
        sql("ALTER ROLE {name}_owner RESET lock_timeout", "ALTER ROLE {name}_owner SET lock_timeout = '10s'"),
        red=(TIME_OUTS, ROLE_SETTINGS),
        run=ALL,
        says="lock_timeout",
    ),
    Case(
        "an app with fifty connections",
        sql("ALTER ROLE {name}_app CONNECTION LIMIT 50", "ALTER ROLE {name}_app CONNECTION LIMIT -1"),
        red=(ROLE_SETTINGS,),
        run=ALL,
        says="may have 50 connections",
    ),
    Case(
        "a password that expires",
        sql(
            "ALTER ROLE {name}_owner VALID UNTIL '2030-01-01'",
            "ALTER ROLE {name}_owner VALID UNTIL 'infinity'",
        ),
        red=(ROLE_SETTINGS,),
        run=ALL,
        says="expires 2030",
    ),
    Case(
        "a cluster that will not start again",
        done("data1", "chmod 755 /var/lib/postgresql/*/main", "chmod 700 /var/lib/postgresql/*/main"),
        red=(AT_BOOT,),
        run=ALL,
        says="mode 755",
    ),
    Case(
        "a time-out of a day",
        sql(
            "ALTER ROLE {name}_app SET statement_timeout = '1d'",
            "ALTER ROLE {name}_app SET statement_timeout = '30s'",
        ),
        red=(TIME_OUTS,),
        run=ALL,
        says="86400000",
    ),
    Case(
        "values in the log",
        altered("log_statement", "'all'"),
        red=(LOGGED, FILES),
        run=ALL,
        says="log_statement",
    ),
    Case("connections are not logged", drop_in("log_connections = off"), red=(LOGGED, FILES), run=ALL),
    Case("passwords are set as MD5", drop_in("password_encryption = 'md5'"), red=(ENCRYPTS, FILES), run=ALL),
    Case("TLS of 2008", drop_in("ssl_min_protocol_version = 'TLSv1'"), red=(ENCRYPTS, FILES), run=ALL),
    Case(
        "a setting that was edited and not loaded",
        done(
            "data1",
            f"cp -p {CONF} /root/kept && sed -i 's/^log_lock_waits = on$/log_lock_waits = off/' {CONF}",
            f"cat /root/kept > {CONF}; {RELOAD}",
        ),
        red=(FILES,),
        run=ALL,
        says="slipway.conf",
    ),
    Case(
        "PostgreSQL stays down after a reboot",
        file("data1", f"{CLUSTER}/start.conf", "^auto$", "manual"),
        red=(AT_BOOT,),
        run=ALL,
        says="start.conf",
    ),
    Case(
        "the pooler stays down after a reboot",
        done("data1", "systemctl disable -q pgbouncer", "systemctl enable -q pgbouncer"),
        red=(AT_BOOT,),
        run=ALL,
        says="pgbouncer.service is disabled",
    ),
    Case(
        "Redis stays down after a reboot",
        done("data1", "systemctl disable -q redis-server", "systemctl enable -q redis-server"),
        red=(AT_BOOT,),
        run=ALL,
        says="redis-server.service is disabled",
    ),
)


@pytest.mark.parametrize("case", [*ACCESS, *RIGHTS, *SETTINGS], ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
