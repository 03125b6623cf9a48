"""A snapshot of the database before a migration, and no more of them than are useful."""

import time
from datetime import UTC, datetime
from typing import Any

from slipway.platforms.aws.session import AwsSession
from slipway.progress import Progress
from slipway.settings import ReleaseFailed

KEPT = 10
"""Snapshots that are kept of those made here; AWS allows 100 in a region."""
PATIENCE_SECONDS = 1800
POLL_SECONDS = 10.0


def snapshot(session: AwsSession, database: str, progress: Progress) -> dict[str, object]:
    """Take a snapshot of RDS instance `database` and wait until it can be restored; older ones are deleted.

    Returns what the ledger keeps of it. Raises ReleaseFailed if it does not come; nothing was migrated then.
    """
    name = f"{database}-before-{datetime.now(UTC):%Y%m%d%H%M%S}"
    session.call("rds", "create_db_snapshot", DBSnapshotIdentifier=name, DBInstanceIdentifier=database)
    progress.line(f"snapshot {name} of the database")
    ends = time.monotonic() + PATIENCE_SECONDS
    while (status := _status(session, name)) != "available":
        if status in {"failed", "deleting"} or time.monotonic() > ends:
            raise ReleaseFailed(
                f"snapshot {name} is {status}: nothing was migrated",
                remedy="see the snapshot in the RDS console; then release again",
            )
        time.sleep(POLL_SECONDS)
    _prune(session, database)
    return {"snapshot": name}


def delete_all(session: AwsSession, database: str, progress: Progress) -> None:
    """Delete every snapshot that was taken before a migration of `database`, which is gone itself."""
    for name in _own(session, database):
        session.call("rds", "delete_db_snapshot", DBSnapshotIdentifier=name)
        progress.line(f"deleted snapshot {name}")


def _status(session: AwsSession, name: str) -> str:
    return str(
        session.call("rds", "describe_db_snapshots", DBSnapshotIdentifier=name)["DBSnapshots"][0]["Status"]
    )


def _prune(session: AwsSession, database: str) -> None:
    for name in _own(session, database)[:-KEPT]:
        session.call("rds", "delete_db_snapshot", DBSnapshotIdentifier=name)


def _own(session: AwsSession, database: str) -> list[str]:
    """The names of snapshots made here, the oldest first."""
    found: list[dict[str, Any]] = session.call(
        "rds", "describe_db_snapshots", DBInstanceIdentifier=database, SnapshotType="manual"
    )["DBSnapshots"]
    names = sorted(str(each["DBSnapshotIdentifier"]) for each in found)
    return [each for each in names if each.startswith(f"{database}-before-")]
