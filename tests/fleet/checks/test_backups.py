"""Backup checks fail for backups that are old, readable by others, truncated or not made."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from slipway.stack import LiveStack
from tests.fleet.checks.breaking import Break, done, on, rewritten, settings, together
from tests.fleet.checks.harness import Case, prove, run_checks
from tests.fleet.site import Site

DUMPS = "/var/backups/slipway"

PROGRAM = "/usr/local/bin/slipway-backup"
TIMER = "/etc/systemd/system/slipway-backup.timer.d"
SERVICE = "/etc/systemd/system/slipway-backup.service.d"
RELOAD = "systemctl daemon-reload; systemctl restart slipway-backup.timer"
COPIES = '[checks.backups]\ncopy_host = "worker1"\ncopy_folder = "/var/tmp/copies"\n\n[checks.metrics]'


def rewritten_program(change: Callable[[str], str]) -> Break:
    """The backup program with another content."""
    return lambda site: rewritten(site, "data1", PROGRAM, change)


def dumped(option: str) -> Break:
    """The backup program with another option of pg_dump."""
    return rewritten_program(lambda text: text.replace('"--format=custom"', f'"--format=custom", "{option}"'))


def copied(write: str = "cat > $f") -> Break:
    """The newest backup on worker1, as `write` writes it to `$f`."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        newest = on(site, "data1", f"ls -t {DUMPS}/*.dump | head -1").strip()
        name = newest.rpartition("/")[2]
        text = on(site, "data1", f"base64 {newest}")
        copy = f"mkdir -p /var/tmp/copies; f=/var/tmp/copies/{name}; base64 -d | {write}"
        try:
            on(site, "worker1", copy, text)
            yield
        finally:
            on(site, "worker1", "rm -rf /var/tmp/copies")

    return broken


BACKUPS = (
    Case(
        "an old backup",
        done(
            "data1",
            f"for f in {DUMPS}/*.dump; do touch -r $f /root/$(basename $f); touch -d '3 days ago' $f; done",
            f"for f in {DUMPS}/*.dump; do touch -r /root/$(basename $f) $f; done",
        ),
        red=("I12/the-newest-backup-is-fresh",),
        says="hours old",
    ),
    Case(
        "no nightly backup",
        done("data1", "systemctl stop slipway-backup.timer", "systemctl start slipway-backup.timer"),
        red=("I12/backups-are-made-every-night",),
    ),
    Case(
        "the next backup in a year",
        done(
            "data1",
            f"mkdir -p {TIMER}; printf '[Timer]\\nOnCalendar=\\nOnCalendar=*-02-29\\n' > {TIMER}/zz.conf; {RELOAD}",  # noqa: E501 - a shell's line
            f"rm -r {TIMER}; {RELOAD}",
        ),
        red=("I12/backups-are-made-every-night",),
        says="hours",
    ),
    Case(
        "a night that runs something else",
        done(
            "data1",
            f"mkdir -p {SERVICE}; printf '[Service]\\nExecStart=\\nExecStart=/bin/true\\n' > {SERVICE}/zz.conf; systemctl daemon-reload",  # noqa: E501 - a shell's line
            f"rm -r {SERVICE}; systemctl daemon-reload",
        ),
        red=("I12/backups-are-made-every-night",),
        says="/bin/true",
    ),
    Case(
        "a program that does nothing",
        rewritten_program(lambda _: "#!/bin/sh\nexit 0\n"),
        red=("I12/a-new-backup-has-every-row",),
        says="names no backup",
    ),
    Case(
        "a program that names a backup and writes none",
        rewritten_program(lambda _: '#!/bin/sh\necho \'{"file": "/var/backups/slipway/none.dump"}\'\n'),
        red=("I12/a-new-backup-has-every-row",),
        says="is not there",
    ),
    Case(
        "backups without rows",
        dumped("--schema-only"),
        red=("I12/a-new-backup-has-every-row",),
        says="rows",
    ),
    Case(
        "backups without one table's rows",
        dumped("--exclude-table-data=audit"),
        red=("I12/a-new-backup-has-every-row",),
        says="audit has",
    ),
    Case(
        "backups without one table",
        dumped("--exclude-table=audit"),
        red=("I12/a-new-backup-has-every-row",),
        says="audit",
    ),
    Case(
        "the newest backup without rows",
        done(
            "data1",
            f"umask 077; cd /; d=$(runuser -u postgres -- psql -X -A -t -c \"SELECT datname FROM pg_database WHERE datname LIKE '%board%' OR datname LIKE '%test%' LIMIT 1\"); runuser -u postgres -- pg_dump --format=custom --schema-only --dbname $d > {DUMPS}/empty.dump; touch -d '2 minutes' {DUMPS}/empty.dump",  # noqa: E501 - a shell's line
            f"rm {DUMPS}/empty.dump",
        ),
        red=("I12/the-newest-backup-can-be-restored",),
    ),
    Case(
        "a night that left nothing",
        together(
            done("data1", "true", "systemctl start slipway-backup.service"),  # the last to be undone
            rewritten_program(lambda _: "#!/bin/sh\nexit 0\n"),
            done(
                "data1",
                f"mkdir -p {TIMER}; printf '[Timer]\\nOnCalendar=*:*:0/10\\nRandomizedDelaySec=0\\nAccuracySec=1s\\n' > {TIMER}/zz.conf; {RELOAD}; sleep 11",  # noqa: E501 - a shell's line
                f"rm -r {TIMER}; {RELOAD}",
            ),
        ),
        red=("I12/the-last-night-left-a-backup",),
        says="left no backup",
    ),
    Case(
        "no copy elsewhere",
        settings(r"^\[checks\.metrics\]$", COPIES),
        red=("I12/the-newest-backup-has-a-copy-elsewhere",),
        says="no copy",
    ),
    Case(
        "a copy that differs",
        together(
            settings(r"^\[checks\.metrics\]$", COPIES),
            copied("head -c 100 > $f"),
        ),
        red=("I12/the-newest-backup-has-a-copy-elsewhere",),
        says="differs",
    ),
    Case(
        "backups that others can read",
        done(
            "data1",
            f"touch {DUMPS}/loose.dump; touch -d '9 days ago' {DUMPS}/loose.dump; chmod 644 {DUMPS}/loose.dump",  # noqa: E501 - a shell's line
            f"rm {DUMPS}/loose.dump",
        ),
        red=("I12/only-root-can-read-backups",),
        says="loose",
    ),
    Case(
        "a truncated backup",
        done(
            "data1",
            f"umask 077; f=$(ls -t {DUMPS}/*.dump | head -1); head -c 2000 $f > {DUMPS}/cut.dump",
            f"rm {DUMPS}/cut.dump",
        ),
        red=("I12/the-newest-backup-can-be-restored",),
    ),
)


@pytest.mark.parametrize("case", BACKUPS, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)


def test_a_whole_copy_elsewhere_is_good(whole: Site) -> None:
    """The other half of `no copy elsewhere`."""
    with settings(r"^\[checks\.metrics\]$", COPIES)(whole), copied()(whole):
        found = run_checks(whole.root, "I12/the-newest-backup-has-a-copy")
    assert found.code == 0, found.said


def test_a_row_that_is_replaced_around_a_backup_is_not_left_out(whole: Site) -> None:
    """The only row of a table is deleted just before the dump and inserted again after it, once."""
    database = LiveStack(whole.project).outputs.database
    assert database is not None
    psql = f"cd / && runuser -u postgres -- psql -X -q -v ON_ERROR_STOP=1 -d {database.name} -c"
    program = f"""#!/bin/sh
set -e
if [ -e /run/replaced ]; then exec {PROGRAM}-real "$@"; fi
touch /run/replaced
({psql} "DELETE FROM replaced")
{PROGRAM}-real "$@"
({psql} "INSERT INTO replaced VALUES (1)")
"""
    with (
        done(
            "data1",
            f'cp -a {PROGRAM} {PROGRAM}-real; {psql} "CREATE TABLE replaced AS SELECT 1 AS n"',
            f'rm -f {PROGRAM}-real /run/replaced; {psql} "DROP TABLE IF EXISTS replaced"',
        )(whole),
        rewritten(whole, "data1", PROGRAM, lambda _: program),
    ):
        found = run_checks(whole.root, "I12/a-new-backup-has-every-row")
        assert on(whole, "data1", "ls /run/replaced"), "the row was never replaced: this test shows nothing"
    assert found.code == 0, found.said


def test_a_restart_before_the_first_night_has_missed_no_backup(whole: Site) -> None:
    """The timer's first start makes its stamp, and the next start takes that for a run, as after a reboot."""
    stamp = "/var/lib/systemd/timers/stamp-slipway-backup.timer"
    again = "systemctl stop slipway-backup.timer; systemctl start slipway-backup.timer"
    fired = "systemctl show -P LastTriggerUSec slipway-backup.timer"
    before = on(
        whole,
        "data1",
        f"systemctl stop slipway-backup.timer; rm -f {stamp}; {again}; sleep 2; {again}; {fired}",
    )
    assert before.strip(), "systemd takes no stamp for a run: this test shows nothing"
    found = run_checks(whole.root, "I12/the-last-night-left-a-backup")
    assert found.ids("not evaluated") == {"I12/the-last-night-left-a-backup"}, found.said
