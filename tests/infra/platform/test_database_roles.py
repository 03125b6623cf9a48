"""Roles and rights, made in a real PostgreSQL by a master user who, as on RDS, is no superuser."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from hosts import previews
from hosts.agent import preview_data
from hosts.agent.json_object import JsonObject
from hosts.agent.preview_record import Preview, PreviewPaths, new
from hosts.data.scram import verifier
from hosts.plan import FleetPlan
from slipway.platforms.aws import data_logins as database_roles
from slipway.platforms.aws.data_logins import ensure_proxy_login, ensure_roles, previews_server
from slipway.platforms.aws.kits import fleet_plan
from slipway.platforms.aws.session import session_of
from slipway.settings import SlipwayError
from tests.infra.platform.here import here
from tests.infra.platform.world import World
from tests.ports import free_port
from tests.s3 import wait_for_port
from tests.waiting import until

OWNER, APP, MASTER = "owner-password-0123456789", "app-password-0123456789", "ma'ster pass\\word $HOME"
SECRETS = {
    "PLATFORM_DATABASE_OWNER_PASSWORD": OWNER,
    "PLATFORM_DATABASE_APP_PASSWORD": APP,
    "SLIPWAY_LOAD_KEY": "load-key",
}
MASTER_SECRET = "rds-master"
EVERYTHING = """
SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles
UNION SELECT pg_get_userbyid(member) || ' in ' || pg_get_userbyid(roleid) FROM pg_auth_members ORDER BY 1
"""


@dataclass
class Server:
    """PostgreSQL on a port of 127.0.0.1, TLS only, called localhost."""

    port: int
    folder: Path
    ca: Path

    def sql(self, user: str, password: str, sql: str, database: str = "board") -> str:
        """What psql prints; RuntimeError with what the server says."""
        target = f"host=localhost port={self.port} user={user} dbname={database} sslmode=require"
        done = subprocess.run(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, target],
            env={**os.environ, "PGPASSWORD": password}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found and shutil.which("psql") else None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL: install postgresql")
    folder = tmp_path_factory.mktemp("postgres")
    data, port, authority = folder / "data", free_port(), trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "server.crt"))
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
    (folder / "server.key").chmod(0o600)
    as_user: list[str] = []
    if os.geteuid() == 0:
        as_user = ["runuser", "-u", "postgres", "--"]
        for parent in [*folder.parents][:2]:
            parent.chmod(0o755)
        subprocess.run(["chown", "-R", "postgres", folder], check=True)
    subprocess.run(
        [*as_user, programs / "initdb", "-D", data, "-A", "trust", "-U", "root_of_all"],
        check=True, capture_output=True,
    )  # fmt: skip
    (data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
    settings = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "ssl": "on",
        "ssl_cert_file": folder / "server.crt", "ssl_key_file": folder / "server.key",
    }  # fmt: skip
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    process = subprocess.Popen(
        [*as_user, programs / "postgres", "-D", data, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, process)
        # It listens before it is ready; until then it refuses with "the database system is starting up".
        ready = [programs / "pg_isready", "--quiet", "--host", folder, "--port", str(port)]
        until(lambda: subprocess.run(ready, check=False).returncode == 0)
        quoted = MASTER.replace("'", "''")
        for line in (
            f"CREATE ROLE master LOGIN CREATEROLE CREATEDB PASSWORD '{quoted}'",
            "CREATE ROLE stranger LOGIN PASSWORD 'stranger'",
            "CREATE DATABASE board OWNER master",
            "ALTER DATABASE postgres OWNER TO master",  # as RDS makes it
        ):
            subprocess.run(
                [
                    "psql",
                    "-XqAt",
                    "-h",
                    folder,
                    "-p",
                    str(port),
                    "-U",
                    "root_of_all",
                    "-d",
                    "postgres",
                    "-c",
                    line,
                ],
                check=True,
            )
        yield Server(port, folder, folder / "ca.pem")
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture
def plan(world: World, server: Server, monkeypatch: pytest.MonkeyPatch) -> FleetPlan:
    monkeypatch.setattr(database_roles, "POSTGRES_PORT", server.port)
    monkeypatch.setattr(database_roles, "CA_ON_HOSTS", str(server.ca))
    outputs = world.provision()
    login = {"username": "master", "password": MASTER}
    world.client("secretsmanager").create_secret(Name=MASTER_SECRET, SecretString=json.dumps(login))
    return fleet_plan(world.project, outputs, SECRETS, server.ca)


def make(world: World, plan: FleetPlan) -> None:
    ensure_roles(session_of(world.project), plan, here(), address="localhost", master_secret=MASTER_SECRET)


def test_the_owner_changes_the_schema_and_the_app_only_its_rows(
    world: World, plan: FleetPlan, server: Server
):
    make(world, plan)
    server.sql("board_owner", OWNER, "CREATE TABLE notes (id int PRIMARY KEY, text text)")
    assert server.sql("board_app", APP, "INSERT INTO notes VALUES (1, 'x') RETURNING text") == "x"
    for forbidden in ("DROP TABLE notes", "ALTER TABLE notes ADD y int", "CREATE TABLE own (id int)"):
        with pytest.raises(RuntimeError, match=r"must be owner|permission denied"):
            server.sql("board_app", APP, forbidden)
    with pytest.raises(RuntimeError, match="permission denied for database"):
        server.sql("stranger", "stranger", "SELECT 1")
    assert server.sql("board_app", APP, "SHOW statement_timeout") == "30s"
    assert server.sql("board_owner", OWNER, "SHOW lock_timeout") == "10s"


def test_making_them_again_changes_nothing_and_a_new_password_is_taken(
    world: World, plan: FleetPlan, server: Server
):
    make(world, plan)
    before = server.sql("master", MASTER, "SELECT oid, rolname FROM pg_roles WHERE rolname LIKE 'board%'")
    make(world, plan)
    after = server.sql("master", MASTER, "SELECT oid, rolname FROM pg_roles WHERE rolname LIKE 'board%'")
    assert before == after
    changed = {**SECRETS, "PLATFORM_DATABASE_APP_PASSWORD": "another-password-0123456789"}
    make(world, fleet_plan(world.project, plan.outputs, changed, server.ca))
    assert server.sql("board_app", "another-password-0123456789", "SELECT 1") == "1"
    make(world, plan)


def preview_on(
    server: Server, plan: FleetPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[Preview, JsonObject]]:
    """Makes the database of a preview, as its host does by a request of the pipeline."""
    (tmp_path / "roles.sql").write_text(previews.roles_sql(here=False))
    monkeypatch.setattr(preview_data, "TEMPLATES", str(tmp_path))
    paths, signs_in = PreviewPaths(str(tmp_path)), previews_server(plan.database, "localhost", plan.secrets)

    def made(name: str) -> tuple[Preview, JsonObject]:
        preview = new(paths, name)
        preview.save(paths)
        verifiers = {
            f"{part}_verifier": verifier(f"{preview.database}_{part}", f"{name}-{part}-0123456789")
            for part in ("owner", "app")
        }
        request = JsonObject({"database": verifiers, "server": signs_in}, "open")
        preview_data.make(paths, preview, request)
        return preview, request

    return made


@pytest.fixture
def carrying(world: World, plan: FleetPlan, server: Server) -> FleetPlan:
    """The plan of a stack that carries previews, whose roles are made."""
    stack = plan.stack.model_copy(update={"previews": True})
    secrets = {**SECRETS, "PLATFORM_DATABASE_PREVIEWS_PASSWORD": "maker-password-0123456789"}
    changed = replace(plan, stack=stack, secrets=secrets)
    make(world, changed)
    return changed


def test_previews_have_databases_of_their_own_which_go_with_them(
    carrying: FleetPlan, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = server.sql("master", MASTER, EVERYTHING)
    made = preview_on(server, carrying, tmp_path, monkeypatch)
    (one, asked), (two, _) = made("one"), made("pr-2")
    server.sql("pv_one_owner", "one-owner-0123456789", "CREATE TABLE notes (id int)", "pv_one")
    assert server.sql(
        "pv_one_app", "one-app-0123456789", "INSERT INTO notes VALUES (1) RETURNING id", "pv_one"
    )
    for other in ("pv_pr_2", "board", "postgres"):
        with pytest.raises(RuntimeError, match="permission denied for database"):
            server.sql("pv_one_owner", "one-owner-0123456789", "SELECT 1", other)
    made("one")  # repeated
    preview_data.remove(PreviewPaths(str(tmp_path)), one, asked)
    assert (
        server.sql("master", MASTER, "SELECT datname FROM pg_database WHERE datname LIKE 'pv_%'") == "pv_pr_2"
    )
    assert preview_data.remove_strays([two.database], asked) == []
    assert preview_data.remove_strays([], asked) == [two.database]
    assert server.sql("master", MASTER, EVERYTHING) == before


def test_who_makes_previews_databases_reads_no_other(carrying: FleetPlan, server: Server):
    del carrying
    with pytest.raises(RuntimeError, match="permission denied for database"):
        server.sql("board_previews", "maker-password-0123456789", "SELECT 1", "board")


def test_a_server_that_is_not_the_authoritys_gets_no_password(
    world: World, plan: FleetPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setattr(database_roles, "CA_ON_HOSTS", str(tmp_path / "other.pem"))
    with pytest.raises(SlipwayError, match="could not be made from web-here") as caught:
        make(world, plan)
    assert "certificate verify failed" in "".join(caught.value.details)


def test_what_psql_says_of_a_failure_holds_no_password_and_no_verifier(
    world: World, plan: FleetPlan, monkeypatch: pytest.MonkeyPatch
):
    broken = "SELECT 'ma''ster' \\gexec\nALTER ROLE nobody PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==';\n"
    monkeypatch.setattr(database_roles, "roles_sql", lambda plan: broken)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    with pytest.raises(SlipwayError) as caught:
        make(world, plan)
    told = "\n".join(caught.value.details)
    assert "ERROR" in told
    for hidden in (MASTER, OWNER, APP, "SCRAM"):
        assert hidden not in told


def test_the_proxys_login_is_written_once(world: World, plan: FleetPlan):
    world.client("secretsmanager").create_secret(Name="proxy")
    session = session_of(world.project)
    for _ in range(2):
        ensure_proxy_login(session, plan, "proxy")
    assert world.secret("proxy") == {"username": "board_app", "password": APP}
    versions = world.client("secretsmanager").list_secret_version_ids(SecretId="proxy")["Versions"]
    assert len(versions) == 1
