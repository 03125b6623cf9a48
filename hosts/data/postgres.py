"""PostgreSQL: TLS and SCRAM, an owner for migrations and a lesser role for the app, time-outs on both."""

from __future__ import annotations

from hosts.data.certificate import certificate_files
from hosts.data.scram import verifier
from hosts.effect import Effect, Placed, running, take_up
from hosts.file import HostFile
from hosts.plan import FleetPlan
from hosts.render import render, verbatim
from slipway.settings.outputs import Host

PACKAGES = ("postgresql",)

FOLDER = "/etc/slipway/postgresql"
CONFIG = f"{FOLDER}/slipway.conf"
HBA = f"{FOLDER}/pg_hba.conf"
IDENT = f"{FOLDER}/pg_ident.conf"
ROLES = f"{FOLDER}/roles.sql"
CONFIGURE = "/usr/local/lib/slipway/postgresql-configure"

MAX_CONNECTIONS = 100
CLIENT_ROLES = ("web", "worker")


def wanted(plan: FleetPlan) -> bool:
    """Does the stack keep its database on the fleet's own data host?"""
    return plan.stack.database == "postgres" and plan.outputs.database is not None


def files(plan: FleetPlan, host: Host) -> list[HostFile]:
    """Settings, who may connect, certificate and roles."""
    if not wanted(plan):
        return []
    config = render(
        "data/postgresql.conf.j2", address=host.address, max_connections=MAX_CONNECTIONS, folder=FOLDER
    )
    clients = plan.addresses(*CLIENT_ROLES)
    hba = render("data/pg_hba.conf.j2", database=plan.database, addresses=clients)
    return [
        HostFile(CONFIG, config),
        HostFile(HBA, hba, "0640", "root", "postgres"),
        HostFile(IDENT, verbatim("data/pg_ident.conf"), "0640", "root", "postgres"),
        *certificate_files(plan, host, FOLDER, "postgres"),
        HostFile(ROLES, roles_sql(plan), "0640", "root", "postgres"),
        HostFile(CONFIGURE, verbatim("data/postgresql_configure.sh"), "0755"),
    ]


def effects(plan: FleetPlan, _host: Host, placed: Placed) -> list[Effect]:
    """Serve it: a reload where that is enough, a restart where a setting needs one."""
    if not wanted(plan):
        return []
    config = [file for path, file in placed.items() if path.startswith(FOLDER) and path != ROLES]
    psql = f"runuser -u postgres -- psql -X -q -v ON_ERROR_STOP=1 -f {ROLES}"
    return [
        running("postgresql.service"),
        take_up("postgresql settings", [*config, placed[CONFIGURE]], CONFIGURE),
        take_up("postgresql roles", [placed[ROLES]], psql),
    ]


def roles_sql(plan: FleetPlan) -> str:
    """Roles, database and rights. Holds verifiers, no passwords."""
    owner, app = f"{plan.database}_owner", f"{plan.database}_app"
    return render(
        "data/roles.sql.j2",
        database=plan.database,
        owner=owner,
        app=app,
        owner_verifier=verifier(owner, plan.secret("PLATFORM_DATABASE_OWNER_PASSWORD")),
        app_verifier=verifier(app, plan.secret("PLATFORM_DATABASE_APP_PASSWORD")),
    )
