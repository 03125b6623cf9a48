"""PgBouncer: many clients share few server connections, a transaction each; TLS towards the clients.

Towards PostgreSQL it uses the Unix socket, and the client's own SCRAM keys: it knows no password.
"""

from __future__ import annotations

from hosts.data import postgres
from hosts.data.certificate import certificate_files
from hosts.effect import Effect, Placed, running, take_up
from hosts.file import HostFile
from hosts.plan import FleetPlan
from hosts.render import render
from slipway.settings.outputs import Host

PACKAGES = ("pgbouncer",)

FOLDER = "/etc/slipway/pgbouncer"
CONFIG = "/etc/pgbouncer/pgbouncer.ini"
UNIT = "/etc/systemd/system/pgbouncer.service.d/slipway.conf"

POOL = 60
"""Server connections for the app; the rest of max_connections is for migrations, backups and a person."""
MAX_CLIENTS = 2_000

_UNIT_TEXT = """\
# Written by slipway; changes are lost.
[Unit]
Wants=network-online.target
After=network-online.target postgresql.service

[Service]
Restart=always
RestartSec=1s
LimitNOFILE=8192
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=/run/postgresql /var/log/postgresql
ProtectHome=yes
PrivateTmp=yes
"""


def files(plan: FleetPlan, host: Host) -> list[HostFile]:
    """Its settings and certificate."""
    if not postgres.wanted(plan):
        return []
    text = render(
        "data/pgbouncer.ini.j2",
        database=plan.database,
        address=host.address,
        folder=FOLDER,
        pool=POOL,
        max_clients=MAX_CLIENTS,
    )
    return [
        HostFile(UNIT, _UNIT_TEXT),
        *certificate_files(plan, host, FOLDER, "postgres"),
        HostFile(CONFIG, text, "0640", "root", "postgres"),
    ]


def effects(plan: FleetPlan, _host: Host, placed: Placed) -> list[Effect]:
    """Serve it. Addresses and TLS need a restart, which clients see as one failed connection each."""
    if not postgres.wanted(plan):
        return []
    mine = [file for path, file in placed.items() if path.startswith(FOLDER) or path in (CONFIG, UNIT)]
    return [
        take_up("pgbouncer restart", mine, "systemctl restart pgbouncer"),
        running("pgbouncer.service"),
    ]
