"""PostgreSQL's roles, and what is whose, as the server itself says (I5, I7, I8)."""

from __future__ import annotations

from checks.data.data_host import DataHost
from checks.kit.check import check

ATTRIBUTES = ("super", "createrole", "createdb", "replication", "bypassrls")
RIGHTS_OF_THE_APP = {
    "database": {"CONNECT"},
    "schema": {"USAGE"},
    "relation": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "sequence": {"SELECT", "UPDATE", "USAGE"},
    "column": {"SELECT", "INSERT", "UPDATE"},
}
"""What set-up and migrations grant the app's role, by kind of object."""
PASSING = ("pv_", "slipway_drill_")
"""How the databases of previews and of restore drills begin."""
REACH_OUT = ("adminpack", "dblink", "file_fdw", "postgres_fdw")
"""Extensions by which SQL reaches files and other servers."""


@check(
    "I7",
    "I5",
    severity="critical",
    asvs="13.2.2",
    standard="CIS PostgreSQL 4",
    why="a role that set-up does not know is an account that was left behind, or planted",
    remedy="DROP ROLE it on the data host; what people need belongs to the platform's set-up",
    needs=("slipway:database",),
)
def test_the_database_has_no_role_that_set_up_did_not_make(data_host: DataHost) -> None:
    known = data_host.names.roles
    foreign = [each for each in data_host.postgres["roles"] if each["name"] not in known]
    said = [f"{each['name']}{' (superuser)' if each['super'] else ''}" for each in foreign]
    assert not said, f"roles that set-up did not make: {', '.join(sorted(said))}"


@check(
    "I7",
    "I5",
    severity="critical",
    asvs="13.2.2",
    standard="DevSec postgres-07",
    why="an attribute such as SUPERUSER lifts every other limit of a role",
    remedy="ALTER ROLE … NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS",
    needs=("slipway:database",),
)
def test_only_postgres_is_a_superuser(data_host: DataHost) -> None:
    held = [
        f"{each['name']} has {attribute}"
        for each in data_host.postgres["roles"]
        for attribute in ATTRIBUTES
        if each[attribute] and each["name"] != "postgres"
    ]
    assert not held, "; ".join(sorted(held))


@check(
    "I7",
    severity="critical",
    asvs="13.2.2",
    standard="CIS PostgreSQL 4",
    why="a member of pg_execute_server_program runs commands on the host; of an owner, it changes its tables",
    remedy="REVOKE the membership on the data host",
    needs=("slipway:database",),
)
def test_no_role_is_a_member_of_another(data_host: DataHost) -> None:
    held = [f"{member} is a member of {of}" for member, of in data_host.postgres["members"]]
    assert not held, "; ".join(sorted(held))


@check(
    "I5",
    severity="high",
    asvs="11.4.2",
    standard="DevSec postgres-13",
    why="a password that is stored in the clear or as MD5 can be read from a backup of the cluster",
    remedy="password_encryption = scram-sha-256, then set the password again (slipway up)",
    needs=("slipway:database",),
)
def test_passwords_are_kept_as_scram(data_host: DataHost) -> None:
    roles = {each["name"]: each["password"] for each in data_host.postgres["roles"]}
    weak = [f"{name}: {kind}" for name, kind in roles.items() if kind in ("md5", "clear")]
    assert not weak, f"not kept as scram-sha-256: {', '.join(sorted(weak))}"
    for name in ("postgres", "pgbouncer"):
        assert roles.get(name) in ("none", None), f"{name} has a password; it signs in by the socket alone"


@check(
    "I7",
    severity="high",
    asvs="13.2.2",
    why="whoever owns a table may drop it; what the superuser owns, migrations cannot change",
    remedy="ALTER … OWNER TO the migrations' role; slipway release runs migrations as it",
    needs=("slipway:database",),
)
def test_everything_belongs_to_the_migrations_role(data_host: DataHost) -> None:
    names = data_host.names
    allowed = {("schema", "pgbouncer"): "postgres", ("function", "pgbouncer.verifier_of(text)"): "postgres"}
    wrong = [
        f"{kind} {name} belongs to {owner}"
        for kind, name, owner in data_host.postgres["owners"]
        if owner != allowed.get((kind, name), names.owner)
    ]
    assert not wrong, "; ".join(sorted(wrong)[:5])


@check(
    "I7",
    severity="critical",
    asvs="13.2.2",
    why="a SECURITY DEFINER function of a superuser gives its rights to whoever may call it",
    remedy="DROP FUNCTION it; set-up makes pgbouncer.verifier_of(text) and no other",
    needs=("slipway:database",),
)
def test_no_function_lends_the_superusers_rights(data_host: DataHost) -> None:
    lent = sorted(set(data_host.postgres["definers"]) - {"pgbouncer.verifier_of(text)"})
    assert not lent, f"run with a superuser's rights: {', '.join(lent[:5])}"


@check(
    "I7",
    severity="high",
    asvs="13.2.2",
    why="an untrusted language or a foreign data wrapper lets SQL read files and reach other servers",
    remedy="DROP EXTENSION it, or accept the finding with a reason",
    needs=("slipway:database",),
)
def test_sql_cannot_reach_files_and_other_servers(data_host: DataHost) -> None:
    found = data_host.postgres
    reach = sorted({*found["untrusted"]} | ({*found["extensions"]} & {*REACH_OUT}))
    assert not reach, f"installed: {', '.join(reach)}"


@check(
    "I7",
    "I8",
    severity="high",
    asvs="13.2.2",
    why="what PUBLIC may read, every role that is ever made may read",
    remedy="REVOKE ALL ON … FROM PUBLIC, and grant to the app's role",
    needs=("slipway:database",),
)
def test_public_has_no_right_on_any_table(data_host: DataHost) -> None:
    granted = sorted(f"{right} on {name}" for name, right in data_host.postgres["public"])
    assert not granted, f"PUBLIC has {', '.join(granted[:5])}"


@check(
    "I7",
    severity="critical",
    asvs="13.2.2",
    standard="CIS PostgreSQL 4",
    why="an app that may make tables, or call pg_read_file, turns one injected statement into more than data",
    remedy="REVOKE it; set-up grants the app's role the rows of its tables, and nothing else",
    needs=("slipway:database",),
)
def test_roles_have_only_the_rights_that_set_up_grants(data_host: DataHost) -> None:
    names = data_host.names
    pooler = {("schema", "USAGE", "pgbouncer"), ("database", "CONNECT", names.database)}
    beyond = [
        f"{role} has {right} on {kind} {name}"
        for role, right, kind, name in data_host.postgres["rights"]
        if role != names.owner
        # What PUBLIC may do with tables is a check of its own.
        and not (role == "PUBLIC" and kind == "relation" and name[:3] != "pg_")
        and not (role == names.app and right in RIGHTS_OF_THE_APP.get(kind, ()) and name[:3] != "pg_")
        and not (role == "pgbouncer" and (kind, right, name) in pooler)
    ]
    assert not beyond, "; ".join(sorted(beyond)[:5])


@check(
    "I7",
    "I8",
    severity="critical",
    asvs="13.2.2",
    why="a publication, a standby or a second database is a copy that no one guards",
    remedy="DROP it on the data host, or accept the finding with a reason",
    needs=("slipway:database",),
)
def test_nothing_copies_the_database_elsewhere(data_host: DataHost) -> None:
    found = data_host.postgres
    known = {"postgres", data_host.names.database}
    others = [
        f"database {name}"
        for name in found["databases"]
        if name not in known and not name.startswith(PASSING)
    ]
    copies = sorted([*found["copied"], *others])
    assert not copies, ", ".join(copies[:5])


@check(
    "I5",
    severity="high",
    standard="PostgreSQL manual 31.12",
    why="an UNLOGGED table is empty after a crash; an invalid index or a disabled trigger protects nothing",
    remedy="ALTER TABLE … SET LOGGED, RESET (autovacuum_enabled), ENABLE TRIGGER; REINDEX; by a migration",
    needs=("slipway:database",),
)
def test_tables_keep_what_was_written(data_host: DataHost) -> None:
    fragile = sorted(data_host.postgres["fragile"])
    assert not fragile, "; ".join(fragile[:5])


@check(
    "I5",
    severity="high",
    standard="PostgreSQL manual 25.1",
    why="a slot or a transaction that is left open keeps old log and rows until the disk is full",
    remedy="pg_drop_replication_slot(NAME), ROLLBACK PREPARED, pg_terminate_backend(PID)",
    needs=("slipway:database",),
)
def test_nothing_keeps_old_rows_and_log(data_host: DataHost) -> None:
    held = sorted(data_host.postgres["held"])
    assert not held, "; ".join(held[:5])
