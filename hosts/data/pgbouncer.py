"""PgBouncer: many clients share few server connections, a transaction each; TLS towards the clients.

Towards PostgreSQL it uses the Unix socket, and the client's own SCRAM keys: it knows no password.
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from pyinfra.operations import files, systemd

from hosts.data import postgres
from hosts.data.certificate import certificate
from hosts.operations import on_change
from hosts.plan import FleetPlan
from hosts.render import JINJA, template
from hosts.units import drop_in
from slipway.settings import Host

PACKAGES = ("pgbouncer",)

FOLDER = "/etc/slipway/pgbouncer"
CONFIG = "/etc/pgbouncer/pgbouncer.ini"

POOL = 60
"""Server connections for the app; the rest of max_connections is for migrations, backups and a person."""
MAX_CLIENTS = 2_000


def deploy(plan: FleetPlan, host: Host) -> None:
    """Addresses and TLS need a restart, which clients see as one failed connection each."""
    if not postgres.wanted(plan):
        return
    settings = drop_in("pgbouncer.service", "pgbouncer.conf")
    tls = certificate(plan, host, FOLDER, "postgres")
    files.template(
        name=CONFIG,
        src=template("data/pgbouncer.ini.j2"),
        dest=CONFIG,
        mode="640",
        user="root",
        group="postgres",
        jinja_env_kwargs=JINJA,
        database=plan.database,
        address=host.address,
        folder=FOLDER,
        pool=POOL,
        max_clients=MAX_CLIENTS,
        previews=plan.stack.previews,
    )
    on_change(name="pgbouncer restart", files=[settings, *tls, CONFIG], command="systemctl restart pgbouncer")
    systemd.service(name="pgbouncer", service="pgbouncer.service", running=True, enabled=True)
