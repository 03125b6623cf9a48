"""Backups: fresh, private, and restorable (I12)."""

from __future__ import annotations

import secrets
import time

import pytest

from checks.data.services import database_url
from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Host, Hosts
from slipway.stack import LiveStack

HOURS = 26
"""Highest age of the newest backup: a day, and two hours for the backup itself."""
DRILL_BYTES = 2_000_000_000
"""A larger dump takes long to restore, so only --invasive does it."""


@check(
    "I12",
    severity="critical",
    why="without a recent backup, a disk failure loses the data",
    remedy="slipway-backup.timer runs every night: systemctl status slipway-backup on the data host",
)
def test_the_newest_backup_is_fresh(live: LiveStack, hosts: Hosts) -> None:
    host = _keeper(live, hosts)
    newest = _newest(host)
    hours = (time.time() - newest[1]) / 3600
    assert hours <= HOURS, f"the newest backup is {hours:.0f} hours old"
    assert newest[2] > 0, f"{newest[0]} is empty"


@check(
    "I12",
    severity="high",
    why="manual backups are forgotten",
    remedy="systemctl enable --now slipway-backup.timer (slipway up)",
)
def test_backups_are_made_every_night(live: LiveStack, hosts: Hosts) -> None:
    host = _keeper(live, hosts)
    timer = host.service("slipway-backup.timer")
    assert timer.is_enabled, f"{timer.name} is not enabled"
    assert timer.is_running, f"{timer.name} is not active"


@check(
    "I12",
    "I9",
    severity="high",
    asvs="13.3.1",
    why="whoever can read a backup has the whole database",
    remedy="chmod 600 the files, and chmod 700 their folder, owned by root",
)
def test_only_root_can_read_backups(live: LiveStack, hosts: Hosts) -> None:
    host = _keeper(live, hosts)
    # find: testinfra's file() reads one path at a time, and this is a tree.
    loose = host.check_output("find /var/backups/slipway -perm /077 -not -name .lock -not -type d | head -3")
    assert not loose, f"readable by others: {', '.join(loose.split())}"
    assert host.file("/var/backups/slipway").mode == 0o700, "the folder is open to others"


@check(
    "I12",
    severity="critical",
    standard="GitLab, 31 January 2017",
    why="a backup that was never restored may be unusable",
    remedy="restore by hand to see why: pg_restore --list, then into a scratch database",
)
def test_the_newest_backup_can_be_restored(
    live: LiveStack, hosts: Hosts, pytestconfig: pytest.Config
) -> None:
    host = _keeper(live, hosts)
    file, written, size = _newest(host)
    if size > DRILL_BYTES and not pytestconfig.getoption("--invasive"):
        not_evaluated(f"the dump has {size / 1e9:.1f} GB: --invasive restores it")
    name = live.outputs.database.name if live.outputs.database else ""
    scratch = f"slipway_drill_{secrets.token_hex(4)}"
    psql = "runuser -u postgres -- psql -X -q -A -t -v ON_ERROR_STOP=1"
    # One statement counts every table, so that no table name is part of a command line.
    count = (
        "SELECT relname, (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I.%I', "
        "nspname, relname), false, true, '')))[1]::text FROM pg_class c "
        "JOIN pg_namespace s ON s.oid = relnamespace WHERE relkind = 'r' AND nspname = 'public'"
    )

    def rows(database: str) -> dict[str, int]:
        lines = host.check_output(f'cd / && {psql} -F "\t" -d {database} -c "{count}"').splitlines()
        return {table: int(number) for table, number in (line.split("\t") for line in lines)}

    # testinfra has no module for PostgreSQL.
    host.check_output(f"cd / && {psql} -c 'CREATE DATABASE {scratch}'")
    try:
        restore = f"runuser -u postgres -- pg_restore --exit-on-error --no-owner --no-acl --dbname {scratch}"
        host.check_output(f"cd / && {restore} < {file}")
        restored, here = rows(scratch), rows(name)
    finally:
        host.check_output(f"cd / && {psql} -c 'DROP DATABASE IF EXISTS {scratch} WITH (FORCE)'")
    if _made_after_the_release(live, written):
        missing = sorted(set(here) - set(restored))
        assert not missing, f"tables that are not in the backup: {', '.join(missing)}"
    lost = [table for table, kept in restored.items() if kept == 0 and here.get(table, 0) > 1000]
    assert not lost, f"tables that are full here and empty in the backup: {', '.join(lost)}"


def _made_after_the_release(live: LiveStack, written: float) -> bool:
    """Then it must have every table of the database; a backup from before a migration need not."""
    head = live.ledger.head()
    if head.live is None:
        return False
    return written > live.ledger.get(head.live).created.timestamp() + 60


def _keeper(live: LiveStack, hosts: Hosts) -> Host:
    """The host that keeps the backups."""
    database_url(live)
    name = live.outputs.database.backup_host if live.outputs.database else ""
    if not name:
        not_evaluated("the provider makes the backups here, and its alarms watch them")
    return hosts[name]


def _newest(host: Host) -> tuple[str, float, int]:
    """Path, time of writing and size of the newest backup."""
    # find: one command for all files, and to the second; testinfra's file().mtime is in the host's time zone.
    listed = r"find /var/backups/slipway -name '*.dump' -printf '%T@ %s %p\n' | sort -n | tail -1"
    line = host.run(listed).stdout.split()
    if not line:
        pytest.fail("there is no backup at all")
    return line[2], float(line[0]), int(line[1])
