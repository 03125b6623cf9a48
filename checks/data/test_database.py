"""PostgreSQL as the app and its migrations see it: rights, connections, migrations (I5, I7, I8, S1)."""

from __future__ import annotations

from collections.abc import Callable, Generator

import psycopg
import pytest

from checks.data.data_host import DataHost
from checks.data.services import ask, connect_database, database_url, owner_url, released_migrations
from checks.kit.check import check, not_evaluated
from slipway.stack import LiveStack

Url = Callable[[LiveStack], str]
"""The app's URL, or the migrations'."""
Database = psycopg.Connection[tuple[object, ...]]
SPARE = 10
"""Connections that stay free for people and backups."""


@pytest.fixture(scope="module")
def app(live: LiveStack) -> Generator[Database]:
    """A connection with the app's role."""
    with connect_database(live, database_url(live)) as connection:
        yield connection


@pytest.fixture(scope="module")
def owner(live: LiveStack) -> Generator[Database]:
    """A connection with the migrations' role."""
    with connect_database(live, owner_url(live)) as connection:
        yield connection


@check(
    "I5",
    severity="high",
    asvs="12.3.4",
    why="a client that does not verify the certificate may talk to an attacker",
    remedy="the server's certificate must be for the address in the outputs, by the CA the hosts know",
    needs=("slipway:database",),
)
@pytest.mark.parametrize("whose", [database_url, owner_url], ids=["app", "migrations"])
def test_the_databases_certificate_is_checked(live: LiveStack, whose: Url) -> None:
    with connect_database(live, whose(live)) as connection:
        assert connection.pgconn.ssl_in_use, "the connection has no TLS"


@check(
    "I7",
    "I5",
    severity="critical",
    asvs="13.2.2",
    standard="DevSec postgres-07",
    why="an injected statement can do what the app's role can",
    remedy="give the app its own role, which is neither superuser nor owner",
    needs=("slipway:database",),
)
def test_the_apps_role_is_no_superuser(app: Database) -> None:
    attributes = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
    rows = ask(app, f"SELECT {attributes} FROM pg_roles WHERE rolname = current_user")  # noqa: S608 - no input in it
    names = ("superuser", "createrole", "createdb", "replication", "bypassrls")
    may = [name for name, has in zip(names, rows[0], strict=True) if has]
    assert not may, f"the app's role has {', '.join(may)}"


@check(
    "I7",
    severity="high",
    asvs="13.2.2",
    why="a role that may change the schema may also drop it",
    remedy="let the migrations' role own the tables, and grant the app SELECT, INSERT, UPDATE, DELETE",
    needs=("slipway:database",),
)
def test_the_app_cannot_change_the_schema(app: Database) -> None:
    schema = ask(app, "SELECT has_schema_privilege('public', 'CREATE')")[0][0]
    database = ask(app, "SELECT has_database_privilege(current_database(), 'CREATE')")[0][0]
    assert (schema, database) == (False, False), f"CREATE on schema, database: {schema}, {database}"
    owned = ask(app, "SELECT relname FROM pg_class WHERE relowner = current_user::regrole LIMIT 5")
    assert not owned, f"the app's role owns {', '.join(str(row[0]) for row in owned)}"
    try:
        with app.transaction(force_rollback=True):
            ask(app, "CREATE TABLE slipway_check_of_rights (id int)")
    except psycopg.errors.InsufficientPrivilege:
        return
    pytest.fail("the app's role may create a table")


@check(
    "I7",
    severity="medium",
    asvs="13.2.2",
    why="a privilege of PUBLIC is given to every role, also to future ones",
    remedy="REVOKE ALL ON SCHEMA public FROM PUBLIC",
    needs=("slipway:database",),
)
def test_public_may_not_create_in_the_schema(owner: Database) -> None:
    rows = ask(owner, "SELECT coalesce(nspacl::text, '') FROM pg_namespace WHERE nspname = 'public'")
    entries = str(rows[0][0]).strip("{}").split(",")
    public = [
        entry
        for entry in entries
        if entry.startswith("=") and "C" in entry.partition("=")[2].partition("/")[0]
    ]
    assert not public, f"PUBLIC may create in schema public: {public[0]}"


@check(
    "I8",
    "I7",
    severity="critical",
    asvs="13.2.2",
    why="one environment's credential must not open another's data",
    remedy="REVOKE CONNECT ON DATABASE … FROM PUBLIC",
    needs=("slipway:database",),
)
def test_the_app_reaches_no_other_database(live: LiveStack, app: Database) -> None:
    others = ask(
        app,
        "SELECT datname FROM pg_database WHERE datname <> current_database() AND NOT datistemplate"
        " AND datallowconn AND has_database_privilege(datname, 'CONNECT')",
    )
    assert not others, f"the app may connect to {', '.join(str(row[0]) for row in others)}"
    assert live.outputs.database is not None


@check(
    "I5",
    severity="high",
    why="when connections run out, requests and the next release fail",
    remedy="DATABASE_POOL_SIZE times instances times hosts must fit the pooler, and its pool the database",
    needs=("slipway:database",),
)
def test_pools_fit_the_database(live: LiveStack, owner: Database, data_host: DataHost) -> None:
    most = int(str(ask(owner, "SHOW max_connections")[0][0]))
    reserved = int(str(ask(owner, "SHOW superuser_reserved_connections")[0][0]))
    used = int(str(ask(owner, "SELECT count(*) FROM pg_stat_activity")[0][0]))
    assert used <= most - reserved - SPARE, f"{used} of {most} connections are in use"
    settings = data_host.pooler["config"]
    pool, clients = int(settings["max_db_connections"]), int(settings["max_client_conn"])
    assert 0 < pool <= most - reserved - SPARE, (
        f"the pooler may open {pool or 'any number'} of {most} connections"
    )
    wanted = _connections_of_the_app(live)
    assert wanted <= clients, (
        f"the app's processes may open {wanted} connections, the pooler accepts {clients}"
    )


@check(
    "I5",
    "I11",
    severity="medium",
    why="without a log of slow queries, users find them first",
    remedy="log_min_duration_statement (postgresql.conf; aws: the parameter group)",
    needs=("slipway:database",),
)
def test_slow_queries_and_errors_are_logged(owner: Database) -> None:
    slow = int(
        str(ask(owner, "SELECT setting FROM pg_settings WHERE name = 'log_min_duration_statement'")[0][0])
    )
    assert 0 <= slow <= 5000, f"log_min_duration_statement is {slow} ms"
    level = str(ask(owner, "SHOW log_min_messages")[0][0])
    assert level in ("warning", "notice", "info", "error", "log"), f"log_min_messages is {level}"


@check(
    "S1",
    severity="critical",
    why="an app whose migrations are missing fails on the first query",
    remedy="slipway release runs migrations first; slipway history shows what happened",
    needs=("slipway:database", "migrate", "checks.migrations_query"),
)
def test_migrations_are_up_to_date(live: LiveStack, owner: Database) -> None:
    query = live.app.checks.migrations_query
    if live.app.migrate is None or not query:
        not_evaluated("declare [migrate] and checks.migrations_query in slipway.toml")
    head = live.ledger.head()
    if head.live is None:
        pytest.fail("nothing was released yet")
    released = released_migrations(live, head.live)
    applied = {str(row[0]) for row in ask(owner, query)}
    pending = [name for name in released if name not in applied]
    assert not pending, f"not applied: {', '.join(pending)}"


def _connections_of_the_app(live: LiveStack) -> int:
    """Connections that all processes together may open."""
    size = live.number("DATABASE_POOL_SIZE") if "DATABASE_POOL_SIZE" in live.app.env else 10
    instances = sum(
        process.instances * len(live.outputs.by_role(live.app.role_of(name)))
        for name, process in live.app.processes.items()
    )
    return (size or 0) * instances * 2  # both slots, during a release
