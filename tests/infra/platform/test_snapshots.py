"""Before a migration the database is kept, and what was kept can be made a database again."""

from __future__ import annotations

import pytest

from slipway.platforms.aws import snapshots
from slipway.platforms.aws.session import session_of
from slipway.progress import Silent
from tests.infra.platform.world import World


@pytest.fixture
def database(world: World) -> str:
    name = world.names.fleet
    world.client("rds").create_db_instance(
        DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres",
        MasterUsername="postgres", MasterUserPassword="only-in-the-emulator", AllocatedStorage=20,
    )  # fmt: skip
    return name


def names(world: World, database: str) -> list[str]:
    found = world.client("rds").describe_db_snapshots(DBInstanceIdentifier=database, SnapshotType="manual")[
        "DBSnapshots"
    ]
    return sorted(each["DBSnapshotIdentifier"] for each in found)


def test_a_snapshot_is_there_before_the_command_goes_on(world: World, database: str) -> None:
    kept = snapshots.snapshot(session_of(world.project), database, Silent())
    assert names(world, database) == [kept["snapshot"]]
    assert str(kept["snapshot"]).startswith("board-prod-before-20")


def test_it_is_restored_as_the_page_says(world: World, database: str) -> None:
    """docs/aws.md, Restore: the same calls."""
    kept = snapshots.snapshot(session_of(world.project), database, Silent())
    client = world.client("rds")
    client.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=f"{database}-restored", DBSnapshotIdentifier=kept["snapshot"]
    )
    for old, new in ((database, f"{database}-old"), (f"{database}-restored", database)):
        client.modify_db_instance(DBInstanceIdentifier=old, NewDBInstanceIdentifier=new)
    (restored,) = client.describe_db_instances(DBInstanceIdentifier=database)["DBInstances"]
    assert restored["Engine"] == "postgres"
    assert restored["MasterUsername"] == "postgres"


def test_only_the_newest_are_kept_and_no_others_are_touched(
    world: World, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "KEPT", 2)
    mine = world.client("rds")
    mine.create_db_snapshot(DBInstanceIdentifier=database, DBSnapshotIdentifier="by-hand")
    for day in ("01", "02", "03"):
        old = f"{database}-before-202601{day}000000"
        mine.create_db_snapshot(DBInstanceIdentifier=database, DBSnapshotIdentifier=old)
    kept = snapshots.snapshot(session_of(world.project), database, Silent())
    assert names(world, database) == [
        f"{database}-before-20260103000000", str(kept["snapshot"]), "by-hand"
    ]  # fmt: skip


def test_a_stack_that_is_deleted_leaves_none_of_its_snapshots(world: World, database: str) -> None:
    session = session_of(world.project)
    snapshots.snapshot(session, database, Silent())
    client = world.client("rds")
    client.create_db_snapshot(DBSnapshotIdentifier="by-hand", DBInstanceIdentifier=database)
    client.delete_db_instance(DBInstanceIdentifier=database, SkipFinalSnapshot=True)
    snapshots.delete_all(session, database, Silent())
    assert names(world, database) == ["by-hand"]
    snapshots.delete_all(session, database, Silent())
