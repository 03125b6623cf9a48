"""PostgreSQL: TLS and SCRAM, an owner for migrations and a lesser role for the app, timeouts on both."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from pyinfra.operations import files, systemd

from hosts.data.certificate import certificate
from hosts.data.scram import verifier
from hosts.operations import install, on_change
from hosts.plan import FleetPlan
from hosts.render import JINJA, render, template
from slipway.settings import Host, Role

PACKAGES = ("postgresql",)

FOLDER = "/etc/slipway/postgresql"
CONFIG = f"{FOLDER}/slipway.conf"
HBA = f"{FOLDER}/pg_hba.conf"
IDENT = f"{FOLDER}/pg_ident.conf"
ROLES = f"{FOLDER}/roles.sql"
CONFIGURE = "/usr/local/lib/slipway/postgresql-configure"

MAX_CONNECTIONS = 100
CLIENT_ROLES: tuple[Role, ...] = ("web", "worker")


def wanted(plan: FleetPlan) -> bool:
    """Does the stack keep its database on the fleet's own data host?"""
    return plan.stack.database == "postgres" and plan.outputs.database is not None


def deploy(plan: FleetPlan, host: Host) -> None:
    """A reload where that is enough, a restart where a setting needs one.

    Roles are SQL, not pyinfra's `postgresql.role`: that puts the password's verifier in a command line, and
    sets neither default privileges nor a role's timeouts.
    """
    if not wanted(plan):
        return
    files.template(
        name=CONFIG,
        src=template("data/postgresql.conf.j2"),
        dest=CONFIG,
        mode="644",
        jinja_env_kwargs=JINJA,
        address=host.address,
        max_connections=MAX_CONNECTIONS,
        folder=FOLDER,
    )
    files.template(
        name=HBA,
        src=template("data/pg_hba.conf.j2"),
        dest=HBA,
        mode="640",
        user="root",
        group="postgres",
        jinja_env_kwargs=JINJA,
        database=plan.database,
        addresses=plan.addresses(*CLIENT_ROLES),
        previews=plan.stack.previews,
    )
    files.put(
        name=IDENT, src=template("data/pg_ident.conf"), dest=IDENT, mode="640", user="root", group="postgres"
    )
    tls = certificate(plan, host, FOLDER, "postgres")
    source = template("data/postgresql_configure.sh")
    files.put(name=CONFIGURE, src=source, dest=CONFIGURE, mode="755")
    install(name=ROLES, src=roles_sql(plan), dest=ROLES, group="postgres", mode="640")
    systemd.service(name="postgresql", service="postgresql.service", running=True, enabled=True)
    on_change(name="postgresql settings", files=[CONFIG, HBA, IDENT, *tls, CONFIGURE], command=CONFIGURE)
    psql = f"runuser -u postgres -- psql -X -q -v ON_ERROR_STOP=1 -f {ROLES}"
    on_change(name="postgresql roles", files=[ROLES], command=psql)


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
