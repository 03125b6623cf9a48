"""Backup checks fail for backups that are old, readable by others, truncated or not made."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import done
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

DUMPS = "/var/backups/slipway"

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
