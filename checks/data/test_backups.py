"""Backups by content: fresh, private, whole, restorable, and elsewhere too (I12)."""

from __future__ import annotations

import json
import secrets
import time

import pytest

from checks.data.services import database_url
from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Host, Hosts, name_of, require_enabled
from slipway.stack import LiveStack

HOURS = 26
"""Highest age of the newest backup: a day, and two hours for the backup itself."""
DRILL_BYTES = 2_000_000_000
"""A larger dump takes long to restore, so only --invasive does it."""
NEW_BYTES = 200_000_000
"""A larger database takes long to dump, so only --invasive does it."""
FULL = 100
"""A table with fewer rows may have been empty when the backup was made."""
GROWTH = 0.5
"""A database does not double within a day, once it has as many rows as this:"""
GROWN = 10_000
AGAIN = 2
"""So many more backups are made if one lacks rows, before the check says so."""
PROGRAM = "/usr/local/bin/slipway-backup"


@check(
    "I12",
    severity="critical",
    why="without a recent backup, a disk failure loses the data",
    remedy="slipway-backup.timer runs every night: systemctl status slipway-backup on the data host",
    needs=("slipway:database",),
    ahead=True,
)
def test_the_newest_backup_is_fresh(live: LiveStack, hosts: Hosts) -> None:
    host = _keeper(live, hosts)
    newest = _newest(live, host)
    hours = (time.time() - newest[1]) / 3600
    assert hours <= HOURS, f"the newest backup is {hours:.0f} hours old"
    assert newest[2] > 0, f"{newest[0]} is empty"


@check(
    "I12",
    severity="high",
    why="manual backups are forgotten",
    remedy="systemctl enable --now slipway-backup.timer (slipway up)",
    needs=("slipway:database",),
    ahead=True,
)
def test_backups_are_made_every_night(live: LiveStack, hosts: Hosts) -> None:
    host = _keeper(live, hosts)
    timer = host.service("slipway-backup.timer")
    require_enabled(host, timer.name)
    assert timer.is_running, f"{timer.name} is not active"
    runs = host.service("slipway-backup.service").systemd_properties.get("ExecStart", "")
    assert f"argv[]={PROGRAM} daily ;" in runs, f"it runs {runs or 'nothing'}"
    assert timer.systemd_properties["Unit"] == "slipway-backup.service", "the timer starts another unit"
    now, following = host.check_output("date +%s"), timer.systemd_properties["NextElapseUSecRealtime"]
    assert following, f"{timer.name} has no next time"
    hours = (float(host.check_output("date -d %s +%%s", following)) - float(now)) / 3600
    assert 0 <= hours + 0.1 <= HOURS, f"the next backup is in {hours:.0f} hours"


@check(
    "I12",
    severity="critical",
    why="a timer that fires and a unit that ends well say nothing of what was written",
    remedy="journalctl -u slipway-backup shows the last run; run slipway-backup by hand",
    needs=("slipway:database",),
    ahead=True,
)
def test_the_last_night_left_a_backup(live: LiveStack, hosts: Hosts) -> None:
    host = _keeper(live, hosts)
    service = host.service("slipway-backup.service").systemd_properties
    assert service.get("Result", "success") == "success", (
        f"the last nightly backup failed: {service['Result']}"
    )
    fired = _fired(host)
    if not fired:
        not_evaluated("no night has passed yet")
    began = float(host.check_output("date -d %s +%%s", fired))
    daily = [each for each in _backups(host) if "-daily-" in each[0] and each[1] >= began - 1]
    running = service.get("ActiveState") in ("activating", "active")
    assert daily or running, f"the run of {fired} left no backup"


@check(
    "I12",
    severity="critical",
    standard="GitLab, 31 January 2017",
    why="the backup program itself may do nothing, or leave out the rows, and still end well",
    remedy="run slipway-backup by hand and restore what it writes; slipway up puts the kit's program back",
    needs=("slipway:database",),
    ahead=True,
)
def test_a_new_backup_has_every_row(live: LiveStack, hosts: Hosts, pytestconfig: pytest.Config) -> None:
    host = _keeper(live, hosts)
    database = live.outputs.database.name if live.outputs.database else ""
    size = float(_psql(host, "postgres", f"SELECT pg_database_size('{database}')"))
    if size > NEW_BYTES and not pytestconfig.getoption("--invasive"):
        not_evaluated(f"the database has {size / 1e9:.1f} GB: --invasive makes a backup of it")
    left_out = _left_out(host, database)
    # Others write meanwhile, and may delete a table's only row and insert it again around the backup: what
    # the program leaves out, it leaves out each time.
    for _ in range(AGAIN):
        if not left_out:
            return
        now = _left_out(host, database)
        left_out = {table: said for table, said in now.items() if table in left_out}
    assert not left_out, "; ".join(left_out.values())


@check(
    "I12",
    severity="high",
    standard="CISA: 3-2-1",
    why="a backup on the host that it is of is lost with the host",
    remedy="copy each backup to another host or provider, and name it in [checks.backups]",
    needs=("slipway:database", "checks.backups.copy_host", "checks.backups.copy_folder"),
)
def test_the_newest_backup_has_a_copy_elsewhere(live: LiveStack, hosts: Hosts) -> None:
    declared = live.app.checks.backups
    if not declared.copy_host or not declared.copy_folder:
        not_evaluated("declare checks.backups.copy_host and checks.backups.copy_folder in slipway.toml")
    host = _keeper(live, hosts)
    assert declared.copy_host != name_of(host), f"{declared.copy_host} makes the backups: that is no copy"
    assert declared.copy_host in set(hosts), (
        f"checks.backups.copy_host: there is no host {declared.copy_host}"
    )
    file = _newest(live, host)[0]
    name = file.rpartition("/")[2]
    found = hosts[declared.copy_host].run("sha256sum %s", f"{declared.copy_folder}/{name}").stdout.split()
    assert found, f"{declared.copy_host} has no copy of {name}"
    assert found[0] == host.check_output("sha256sum %s", file).split()[0], f"the copy of {name} differs"


@check(
    "I12",
    "I9",
    severity="high",
    asvs="13.3.1",
    why="whoever can read a backup has the whole database",
    remedy="chmod 600 the files, and chmod 700 their folder, owned by root",
    needs=("slipway:database",),
    ahead=True,
)
def test_only_root_can_read_backups(live: LiveStack, hosts: Hosts) -> None:
    host = _keeper(live, hosts)
    if not host.file("/var/backups/slipway").exists:
        not_evaluated("no backup has been made yet")
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
    needs=("slipway:database",),
    ahead=True,
)
def test_the_newest_backup_can_be_restored(
    live: LiveStack, hosts: Hosts, pytestconfig: pytest.Config
) -> None:
    host = _keeper(live, hosts)
    file, written, size = _newest(live, host)
    if size > DRILL_BYTES and not pytestconfig.getoption("--invasive"):
        not_evaluated(f"the dump has {size / 1e9:.1f} GB: --invasive restores it")
    name = live.outputs.database.name if live.outputs.database else ""
    restored, here = _restored(host, file), _rows(host, name)
    if not _made_after_the_release(live, written):
        return
    missing = sorted(set(here) - set(restored))
    assert not missing, f"tables that are not in the backup: {', '.join(missing)}"
    lost = [table for table, kept in restored.items() if kept == 0 and here.get(table, 0) > FULL]
    assert not lost, f"tables that are full here and empty in the backup: {', '.join(lost)}"
    kept, now = sum(restored.values()), sum(here.values())
    assert kept or not now, "it holds no row at all"
    assert kept >= now * GROWTH or now < GROWN, f"it holds {kept} rows, the database {now}"


def _left_out(host: Host, database: str) -> dict[str, str]:
    """What a backup made now lacks, by table. Fails the check if there is no such backup."""
    before = _rows(host, database)
    made = host.run(f"{PROGRAM} check-{secrets.token_hex(4)}")
    assert made.rc == 0, f"{PROGRAM} failed: {made.stderr.strip()[-200:]}"
    try:
        file = str(json.loads(made.stdout)["file"])
    except (ValueError, KeyError):
        pytest.fail(f"{PROGRAM} ended well and names no backup")
    try:
        assert host.file(file).exists, f"{PROGRAM} ended well, and {file} is not there"
        restored, after = _restored(host, file), _rows(host, database)
    finally:
        host.run("rm -f %s", file)
    found: dict[str, str] = {}
    for table in sorted({*before} & {*after}):
        # What it holds lies between what was there before and after, or close.
        fewest, most = sorted((before[table], after[table]))
        kept = restored.get(table)
        if kept is None:
            found[table] = f"{table} is not in a backup made just now"
        elif not (fewest * 0.95 - 20 <= kept <= most * 1.05 + 20 and (kept or not fewest)):
            found[table] = f"{table} has {fewest} rows, and {kept} in a backup made just now"
    return found


def _made_after_the_release(live: LiveStack, written: float) -> bool:
    """Then it must have every table of the database; a backup from before a migration need not."""
    head = live.ledger.head()
    if head.live is None:
        return False
    return written > live.ledger.get(head.live).created.timestamp() + 60


def _restored(host: Host, file: str) -> dict[str, int]:
    """Rows by table of the backup `file`, restored into a database that is deleted again."""
    scratch = f"slipway_drill_{secrets.token_hex(4)}"
    # No one may connect before PUBLIC's permission to do so is gone: another run would rightly report it.
    _psql(host, "postgres", f"CREATE DATABASE {scratch} ALLOW_CONNECTIONS false")
    try:
        _psql(host, "postgres", f"REVOKE ALL ON DATABASE {scratch} FROM PUBLIC")
        _psql(host, "postgres", f"ALTER DATABASE {scratch} ALLOW_CONNECTIONS true")
        restore = f"runuser -u postgres -- pg_restore --exit-on-error --no-owner --no-acl --dbname {scratch}"
        done = host.run(f"cd / && {restore} < {file}")
        problem = next((line for line in done.stderr.splitlines() if "error:" in line.lower()), done.stderr)
        assert done.rc == 0, f"{file} cannot be restored: {problem.strip()[:200]}"
        return _rows(host, scratch)
    finally:
        _psql(host, "postgres", f"DROP DATABASE IF EXISTS {scratch} WITH (FORCE)")


def _rows(host: Host, database: str) -> dict[str, int]:
    """Rows of each table in `database`."""
    # One statement counts every table, so that no table name is part of a command line.
    count = (
        "SELECT relname, (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I.%I', "
        "nspname, relname), false, true, '')))[1]::text FROM pg_class c "
        "JOIN pg_namespace s ON s.oid = relnamespace WHERE relkind = 'r' AND nspname = 'public'"
    )
    lines = _psql(host, database, count).splitlines()
    return {table: int(number) for table, number in (line.split("\t") for line in lines)}


def _psql(host: Host, database: str, statement: str) -> str:
    """What psql prints for `statement`, as the superuser; columns are separated by tabs."""
    # testinfra has no module for PostgreSQL.
    psql = "runuser -u postgres -- psql -X -q -A -t -v ON_ERROR_STOP=1"
    return host.check_output(f'cd / && {psql} -F "\t" -d {database} -c "{statement}"').strip()


def _keeper(live: LiveStack, hosts: Hosts) -> Host:
    """The host that keeps the backups."""
    database_url(live)
    name = live.outputs.database.backup_host if live.outputs.database else ""
    if not name:
        not_evaluated("the provider makes the backups here, and its alarms watch them")
    return hosts[name]


def _fired(host: Host) -> str:
    """When the timer last fired; empty if it never has.

    systemd makes its stamp when the timer first starts, and after a restart takes the stamp's time for a run.
    """
    # testinfra's file() has no time of birth; 0: the file system keeps none.
    times = host.run("stat -c '%W %Y' /var/lib/systemd/timers/stamp-slipway-backup.timer").stdout.split()
    if len(times) == 2 and int(times[1]) - int(times[0]) <= 1:
        return ""
    return str(host.service("slipway-backup.timer").systemd_properties.get("LastTriggerUSec", ""))


def _newest(live: LiveStack, host: Host) -> tuple[str, float, int]:
    """Path, time of writing and size of the newest backup; ends the check if none is due yet."""
    found = [each for each in _backups(host) if "-check-" not in each[0]]
    if not found and not _fired(host) and live.app.migrate is None:
        # A release makes one before it migrates; without migrations the first night does.
        not_evaluated("no night has passed yet")
    if not found:
        pytest.fail("there is no backup at all")
    return found[-1]


def _backups(host: Host) -> list[tuple[str, float, int]]:
    """Path, time of writing and size of every backup, the newest last."""
    # find: one command for all files, and to the second; testinfra's file().mtime is in the host's time zone.
    listed = r"find /var/backups/slipway -name '*.dump' -printf '%T@ %s %p\n' | sort -n"
    lines = (line.split() for line in host.run(listed).stdout.splitlines())
    return [(path, float(written), int(size)) for written, size, path in lines]
