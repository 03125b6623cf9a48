"""PostgreSQL's settings as they run: durability, time-outs, TLS, logs, and against their files (I5, X15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from checks.data.data_host import DataHost
from checks.data.services import ask, connect_database, database_url, owner_url
from checks.kit.check import check
from slipway.stack import LiveStack

DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply", "remote_write"),
    "zero_damaged_pages": ("off",),
    "ignore_checksum_failure": ("off",),
    "autovacuum": ("on",),
}
"""Values that lose no accepted write when the host loses power, nor hide a damaged page."""
ENCRYPTED = {
    "ssl": ("on",),
    "ssl_min_protocol_version": ("TLSv1.2", "TLSv1.3"),
    "password_encryption": ("scram-sha-256",),
}
LOGGED = {
    "log_connections": ("on",),
    "log_disconnections": ("on",),
    "log_lock_waits": ("on",),
    "log_statement": ("none", "ddl"),
    "log_parameter_max_length": ("0",),
    "log_parameter_max_length_on_error": ("0",),
}
"""Who connected is logged; what statements carry is not."""
LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
LIMITS_OF_MIGRATIONS = ("lock_timeout", "idle_in_transaction_session_timeout")
CONNECTIONS_OF_MIGRATIONS = 20
"""templates/data/roles.sql.j2: migrations leave the app its connections."""
LONGEST_MS = 900_000
"""A limit beyond a quarter of an hour limits nothing."""


def _wrong(data_host: DataHost, wanted: dict[str, tuple[str, ...]]) -> list[str]:
    settings = data_host.postgres["settings"]
    return [
        f"{name} is {settings[name]['value']}"
        for name, good in wanted.items()
        if settings[name]["value"] not in good
    ]


@check(
    "I5",
    severity="critical",
    standard="PostgreSQL manual 20.5",
    why="without these, a power cut loses accepted writes or the whole cluster",
    remedy="take the setting out of postgresql.conf, its drop-ins and ALTER SYSTEM, and reload",
    needs=("slipway:database",),
)
def test_accepted_writes_survive_a_power_cut(data_host: DataHost) -> None:
    wrong = _wrong(data_host, DURABLE)
    assert not wrong, "; ".join(wrong)


@check(
    "I5",
    severity="critical",
    standard="PostgreSQL manual 20.5",
    why="a role or database may have its own setting, and loses writes although the server would not",
    remedy="ALTER ROLE … RESET synchronous_commit, also IN DATABASE",
    needs=("slipway:database",),
)
@pytest.mark.parametrize("whose", [database_url, owner_url], ids=["app", "migrations"])
def test_a_fresh_session_commits_to_disk(live: LiveStack, whose: Callable[[LiveStack], str]) -> None:
    fresh = _fresh(live, whose, "synchronous_commit")
    assert fresh["synchronous_commit"] in DURABLE["synchronous_commit"], (
        f"a new session has synchronous_commit = {fresh['synchronous_commit']}"
    )


@check(
    "I5",
    severity="high",
    asvs="12.3.1",
    standard="DevSec postgres-06",
    why="old protocols and hashes can be broken by whoever records the traffic",
    remedy="slipway up writes them: what overrides /etc/slipway/postgresql/slipway.conf?",
    needs=("slipway:database",),
)
def test_the_database_encrypts_as_set_up(data_host: DataHost) -> None:
    wrong = _wrong(data_host, ENCRYPTED)
    assert not wrong, "; ".join(wrong)


@check(
    "I5",
    "I11",
    severity="medium",
    asvs="16.2.1",
    standard="CIS PostgreSQL 3.1",
    why="an intrusion shows in the log of connections; values of statements in a log are leaked data",
    remedy="slipway up writes them: what overrides /etc/slipway/postgresql/slipway.conf?",
    needs=("slipway:database",),
)
def test_connections_are_logged_and_values_are_not(data_host: DataHost) -> None:
    wrong = _wrong(data_host, LOGGED)
    assert not wrong, "; ".join(wrong)


@check(
    "X15",
    "I5",
    severity="high",
    why="a query without a time-out holds its connection and locks until it ends",
    remedy="ALTER ROLE … SET …, without another value IN DATABASE; slipway up sets them",
    needs=("slipway:database",),
)
@pytest.mark.parametrize(
    ("whose", "limits"),
    [(database_url, LIMITS), (owner_url, LIMITS_OF_MIGRATIONS)],
    ids=["app", "migrations"],
)
def test_a_fresh_session_has_time_outs(
    live: LiveStack, whose: Callable[[LiveStack], str], limits: tuple[str, ...]
) -> None:
    fresh = _fresh(live, whose, *limits)
    wrong = [f"{name} is {value}" for name, value in fresh.items() if not 0 < int(value) <= LONGEST_MS]
    assert not wrong, f"in a new session, {'; '.join(wrong)} (ms)"


@check(
    "X15",
    "I5",
    severity="medium",
    why="sessions that began before a change keep the old value; new ones take what the role has",
    remedy="slipway up sets them by role; ALTER ROLE … RESET ALL, CONNECTION LIMIT -1, VALID UNTIL infinity",
    needs=("slipway:database",),
)
def test_roles_have_no_settings_but_time_outs(data_host: DataHost) -> None:
    names, found = data_host.names, data_host.postgres["role_settings"]
    set_by_role = {role: {line.partition("=")[0] for line in lines} for role, of, lines in found if not of}
    for role, limits in ((names.app, LIMITS), (names.owner, LIMITS_OF_MIGRATIONS)):
        missing = sorted(set(limits) - set_by_role.get(role, set()))
        assert not missing, f"role {role} sets no {', '.join(missing)}"
    known = (*LIMITS, "search_path", "timezone", "TimeZone")
    odd = [
        f"{role}{f' in {of}' if of else ''}: {line}"
        for role, of, lines in found
        for line in lines
        if line.partition("=")[0] not in known or of
    ]
    for role in data_host.postgres["roles"]:
        if role["most"] not in (-1, CONNECTIONS_OF_MIGRATIONS if role["name"] == names.owner else -1):
            odd.append(f"{role['name']} may have {role['most']} connections")
        if role["until"] not in (None, "infinity"):
            odd.append(f"the password of {role['name']} expires {role['until']}")
    assert not odd, f"set by hand: {'; '.join(sorted(odd)[:5])}"


@check(
    "I5",
    "S8",
    severity="high",
    why="what runs is not what the file says, and the next restart changes it",
    remedy="slipway up writes the files; then systemctl reload postgresql, or restart where one is pending",
    needs=("slipway:database",),
)
def test_the_database_runs_with_what_its_files_say(data_host: DataHost) -> None:
    found = data_host.postgres
    by_hand = [each["name"] for each in found["files"] if each["file"].endswith("postgresql.auto.conf")]
    assert not by_hand, f"set by ALTER SYSTEM: {', '.join(sorted(by_hand))}"
    errors = [f"{each['name'] or each['file']}: {each['error']}" for each in found["files"] if each["error"]]
    assert not errors, f"not applied: {'; '.join(errors[:3])}"
    settings: dict[str, Any] = found["settings"]
    pending = sorted(name for name, each in settings.items() if each["pending"])
    assert not pending, f"waiting for a restart: {', '.join(pending)}"
    for name, each in settings.items():
        assert each["source"] not in ("command line", "environment variable", "global"), (
            f"{name} is set by the {each['source']}"
        )
    for each in found["files"]:
        overridden = settings.get(each["name"], {}).get("source") == "override"  # hba_file: set at the start
        # What another file overrides is not applied: that alone would look like a line that does not count.
        if each["file"].endswith("slipway.conf") and not overridden:
            by = settings[each["name"]]["file"]
            assert by == each["file"], f"{each['name']} is overridden by {by or 'something else'}"
    written = {each["name"].lower() for each in found["files"] if each["name"]}
    gone = [
        name
        for name, each in settings.items()
        if each["source"] == "configuration file" and name.lower() not in written
    ]
    assert not gone, f"running, and in no file: {', '.join(sorted(gone))}"
    stale = [path for path, at in data_host.changed.items() if _is_of_postgres(path) and at > found["loaded"]]
    assert not stale, f"changed since PostgreSQL read them: {', '.join(sorted(stale))}"


def _is_of_postgres(path: str) -> bool:
    return "/postgresql/" in path and not path.endswith(("hba.conf", "ident.conf"))


def _fresh(live: LiveStack, whose: Callable[[LiveStack], str], *names: str) -> dict[str, str]:
    """Settings of a new server session: not one that the pooler opened before."""
    with connect_database(live, whose(live), direct=True) as connection:
        query = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
        return {str(name): str(value) for name, value in ask(connection, query, list(names))}
