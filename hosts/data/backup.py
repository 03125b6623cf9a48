"""Backups of the database: one command, and a timer that runs it every night."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json

from pyinfra.operations import files, systemd

from hosts.data import postgres
from hosts.operations import install
from hosts.plan import FleetPlan
from hosts.render import template
from hosts.units import unit
from slipway.settings import Host

PACKAGES: tuple[str, ...] = ()

COMMAND = "/usr/local/bin/slipway-backup"
SETTINGS = "/etc/slipway/backup.json"
FOLDER = "/var/backups/slipway"


def deploy(plan: FleetPlan, _host: Host) -> None:
    """The backup command with its settings, and the timer that starts it every night."""
    if not postgres.wanted(plan):
        return
    files.put(name=COMMAND, src=template("data/backup.py"), dest=COMMAND, mode="755")
    settings = {"database": plan.database, "folder": FOLDER, "keep": plan.stack.retention.backups}
    install(name=SETTINGS, src=json.dumps(settings, indent=1), dest=SETTINGS, mode="600")
    unit("slipway-backup.service", "slipway-backup.timer")
    systemd.service(name="nightly backup", service="slipway-backup.timer", running=True, enabled=True)
