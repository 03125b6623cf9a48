"""Backups of the database: one command, a timer that runs it every day, and a name for what it keeps."""

from __future__ import annotations

import json

from hosts.data import postgres
from hosts.effect import Effect, Placed, running
from hosts.file import HostFile
from hosts.plan import FleetPlan
from hosts.render import verbatim
from slipway.settings.outputs import Host

PACKAGES: tuple[str, ...] = ()

COMMAND = "/usr/local/bin/slipway-backup"
SETTINGS = "/etc/slipway/backup.json"
FOLDER = "/var/backups/slipway"
_UNITS = "/etc/systemd/system"


def files(plan: FleetPlan, _host: Host) -> list[HostFile]:
    """Command, settings and timer."""
    if not postgres.wanted(plan):
        return []
    settings = {"database": plan.database, "folder": FOLDER, "keep": plan.stack.retention.backups}
    return [
        HostFile(COMMAND, verbatim("data/backup.py"), "0755"),
        HostFile(SETTINGS, json.dumps(settings, indent=1), "0600"),
        HostFile(f"{_UNITS}/slipway-backup.service", verbatim("systemd/slipway-backup.service")),
        HostFile(f"{_UNITS}/slipway-backup.timer", verbatim("systemd/slipway-backup.timer")),
    ]


def effects(plan: FleetPlan, _host: Host, _placed: Placed) -> list[Effect]:
    """Every night from now on."""
    return [running("slipway-backup.timer")] if postgres.wanted(plan) else []
