"""Who may connect to PostgreSQL and its pooler: their rules as loaded, and each account tried (I5, I7)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from checks.data.data_host import DataHost
from checks.data.services import Place, database_url, owner_url, refusal
from checks.kit.background import Background, begun_early
from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Hosts, name_of
from checks.kit.needs import DATABASE_OR_REDIS
from checks.kit.on_host import read_by
from slipway.stack import LiveStack

WRONG = "not-the-password"
AT_ONCE = 6
WAYS = (("PostgreSQL", True), ("the pooler", False))
"""Each name, and whether a connection goes to the server itself."""


@check(
    "I5",
    severity="critical",
    asvs="12.3.1",
    standard="DevSec postgres-06",
    why="without TLS anyone on the network path reads every row",
    remedy="allow only hostssl in pg_hba, and client_tls_sslmode = require; aws: rds.force_ssl=1",
    needs=("slipway:database",),
)
@pytest.mark.parametrize("whose", [database_url, owner_url], ids=["app", "migrations"])
def test_the_database_refuses_connections_in_the_clear(
    live: LiveStack, whose: Callable[[LiveStack], str]
) -> None:
    place = Place.of(live, whose(live))
    account = {"user": place.user, "password": place.password}
    open_to = [
        name for name, direct in WAYS if not refusal(live, direct=direct, sslmode="disable", **account)
    ]
    assert not open_to, f"a connection without TLS is accepted by {' and '.join(open_to)}"


@check(
    "I5",
    severity="critical",
    asvs="13.2.3",
    why="a database that accepts any password protects nothing",
    remedy="use scram-sha-256 in pg_hba and PgBouncer's auth_type, never trust; then reload both",
    needs=("slipway:database",),
    ahead=True,
)
def test_a_wrong_password_is_refused(live: LiveStack) -> None:
    accepted = _accepted(live, [*_accounts(live), "postgres"], WRONG)
    assert not accepted, f"any password is accepted: {'; '.join(accepted)}"


@check(
    "I5",
    "I7",
    severity="critical",
    asvs="13.2.3",
    standard="CIS PostgreSQL 5",
    why="who reaches the port is the owner of every row, and as postgres of the host's files",
    remedy="use scram-sha-256 in pg_hba and PgBouncer's auth_type, never trust; then reload both",
    needs=("slipway:database",),
)
def test_no_account_gets_in_without_a_password(live: LiveStack, data_host: DataHost) -> None:
    roles = [each["name"] for each in data_host.postgres["roles"] if each["login"]]
    accepted = _accepted(live, sorted({*roles, *_accounts(live), "postgres"}), "")
    assert not accepted, f"accepted without a password: {'; '.join(accepted)}"


@check(
    "I5",
    "I7",
    severity="critical",
    asvs="13.2.3",
    standard="CIS PostgreSQL 5",
    why="a rule of pg_hba.conf decides who is let in before any role does",
    remedy="slipway up writes pg_hba.conf; then systemctl reload postgresql",
    needs=("slipway:database",),
)
def test_pg_hba_lets_in_only_the_apps_roles_from_the_apps_hosts(live: LiveStack, data_host: DataHost) -> None:
    names = data_host.names
    clients = {host.address for role in ("web", "worker") for host in live.outputs.by_role(role)}
    wrong: list[str] = []
    for rule in data_host.postgres["hba"]:
        users, databases = set(rule["user_name"] or ()), set(rule["database"] or ())
        method, options = rule["auth_method"], rule["options"] or ()
        if rule["error"]:
            wrong.append(f"line {rule['line_number']} is not valid: {rule['error']}")
        elif method == "reject":
            continue
        elif rule["type"] == "local":
            own = users == {"postgres"} and method == "peer" and not options
            pooler = users == {"pgbouncer"} and method == "peer" and list(options) == ["map=slipway"]
            if not (own or pooler or (users <= {names.app, names.owner} and method == "scram-sha-256")):
                wrong.append(_line(rule, "is not the socket of postgres, the pooler or the app"))
        elif rule["type"] != "hostssl":
            wrong.append(_line(rule, "lets in without TLS"))
        elif method != "scram-sha-256":
            wrong.append(_line(rule, f"asks for {method}"))
        elif not users <= {names.app, names.owner} or databases != {names.database}:
            wrong.append(_line(rule, "is for more than the app's roles and database"))
        elif rule["address"] not in clients or set(rule["netmask"] or "") - set("255.f:"):
            wrong.append(_line(rule, "is for an address that is no web or worker host"))
    mapped = [
        f"pg_ident.conf maps {each['sys_name']} to {each['pg_username']}"
        for each in data_host.postgres["ident"]
        if (each["map_name"], each["sys_name"], each["pg_username"]) != ("slipway", "postgres", "pgbouncer")
    ]
    assert not wrong + mapped, "; ".join((wrong + mapped)[:4])


@check(
    "I5",
    "S8",
    severity="high",
    why="rules that were edited and not loaded, or loaded and edited back, are not those that the file shows",
    remedy="slipway up writes pg_hba.conf; then systemctl reload postgresql",
    needs=("slipway:database",),
)
def test_pg_hba_is_loaded_as_it_stands(data_host: DataHost) -> None:
    loaded = data_host.postgres["loaded"]
    stale = [
        path
        for path, at in data_host.changed.items()
        if path.endswith(("hba.conf", "ident.conf")) and at > loaded
    ]
    assert not stale, f"changed since PostgreSQL loaded it: {', '.join(stale)}"


@check(
    "I5",
    severity="critical",
    asvs="13.2.3",
    standard="CIS PostgreSQL 5",
    why="the pooler stands in front of the database and has its own rules",
    remedy="slipway up writes pgbouncer.ini; then systemctl restart pgbouncer",
    needs=("slipway:database",),
)
def test_the_pooler_runs_as_its_file_says(data_host: DataHost) -> None:
    pooler, database = data_host.pooler, data_host.names.database
    config: dict[str, str] = pooler["config"]
    wanted = {
        "auth_type": "scram-sha-256",
        "auth_hba_file": "",
        "auth_file": "",
        "admin_users": "",
        "stats_users": "",
    }
    wrong = [f"{name} is {config[name]!r}" for name, good in wanted.items() if config.get(name, good) != good]
    if config["client_tls_sslmode"] not in ("require", "verify-ca", "verify-full"):
        wrong.append(f"client_tls_sslmode is {config['client_tls_sslmode']}")
    if "verifier_of" not in config["auth_query"]:
        wrong.append("auth_query reads more than the app's verifier")
    places = {row[0]: row for row in pooler["databases"]}
    wrong += [
        f"it serves the database {name}"
        for name in sorted({*places, *pooler["databases_in_file"]} - {database, "pgbouncer"})
    ]
    if places.get(database, [""] * 5)[4]:
        wrong.append(f"every client of {database} becomes {places[database][4]}")
    wrong += [
        f"{name} is {config[name]} and {value} in the file"
        for name, value in pooler["file"].items()
        if name in config and config[name] != value
    ]
    assert not wrong, "; ".join(wrong[:4])


@begun_early
def reached_by_strangers(live: LiveStack, hosts: Hosts) -> list[str]:
    """The ports of database and Redis that hosts without business there reach; takes a second of waiting."""
    places, outputs = _places(live), live.outputs
    strangers = [hosts[each.name] for each in outputs.by_role("edge") if not each.is_any("web", "worker")]
    if not strangers or not places:
        not_evaluated("every host of the stack has business with database and Redis")
    own = {host.name: host.address for host in live.outputs.hosts}
    return [
        f"{name_of(host)} reaches {address}:{port}"
        for host in strangers
        for address, port in read_by(host, _REACH, places=places)
        if address != own[name_of(host)]
    ]


@check(
    "I5",
    "I4",
    "I7",
    severity="critical",
    asvs="13.2.2",
    why="a host that has no business with the data is one more way to it",
    remedy="slipway up loads the firewall: systemctl restart slipway-firewall on the data host",
    waits_for=(reached_by_strangers,),
    needs=(DATABASE_OR_REDIS,),
)
def test_only_the_apps_hosts_reach_database_and_redis(background: Background) -> None:
    reached = background.result(reached_by_strangers)
    assert not reached, "; ".join(reached)


_REACH = """
import socket
from concurrent.futures import ThreadPoolExecutor
def reaches(place):
    try:
        socket.create_connection(tuple(place), timeout=1).close()
        return True
    except OSError:
        return False
with ThreadPoolExecutor(8) as pool:
    print(json.dumps([place for place, open in zip(places, pool.map(reaches, places)) if open]))
"""


def _places(live: LiveStack) -> list[tuple[str, int]]:
    """Address and port of PostgreSQL, its pooler and Redis."""
    urls = [live.outputs.database.url, live.outputs.database.migrate_url] if live.outputs.database else []
    urls += [live.outputs.redis.url] if live.outputs.redis else []
    places = {(place.host, place.port) for place in (Place.of(live, url) for url in urls)}
    return sorted(places)


def _accounts(live: LiveStack) -> list[str]:
    """The app's role and the migrations'."""
    return [Place.of(live, whose(live)).user for whose in (database_url, owner_url)]


def _accepted(live: LiveStack, users: list[str], password: str) -> list[str]:
    """By which ways `users` get in with `password`, each tried on server and pooler, with and without TLS."""
    tries = list(product(users, WAYS, ("require", "disable")))

    def tried(one: tuple[str, tuple[str, bool], str]) -> str:
        user, (name, direct), sslmode = one
        account = {"user": user, "password": password} | (
            {"dbname": "postgres"} if user == "postgres" else {}
        )
        if refusal(live, direct=direct, sslmode=sslmode, **account):
            return ""
        return f"{user} by {name}{'' if sslmode == 'require' else ' without TLS'}"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(tried, each) for each in tries]
    # What is let in is reported, whatever could not be tried beside it.
    accepted = [each.result() for each in running if each.exception() is None and each.result()]
    return accepted or [found for each in running if (found := each.result())]


def _line(rule: dict[str, object], what: str) -> str:
    where = f"from {rule['address'] or 'the socket'}"
    return f"line {rule['line_number']} ({rule['type']} {rule['auth_method']} {where}) {what}"
