"""Ids and contract marks of the migrations in a build."""

from __future__ import annotations

from pathlib import Path

from slipway.build.manifest import read_migrations
from slipway.settings import Migrate
from tests.unit.build.conftest import write


def files_of(root: Path) -> dict[str, Path]:
    return {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}


def ids(root: Path, files: str) -> list[tuple[str, bool]]:
    migrate = Migrate(command="migrate", files=files)
    found = read_migrations(files_of(root), migrate)
    return [(migration.id, migration.contract) for migration in found]


def test_ids_are_file_names_in_order_and_marks_are_lines(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "migrations/0002_drop.up.sql": "-- slipway: contract\nalter table a drop column b;",
            "migrations/0001_make.up.sql": "create table a (b text); -- not -- slipway: contract here",
            "migrations/0001_make.down.sql": "drop table a;",
            "migrations/notes.txt": "",
        },
    )
    assert ids(tmp_path, "migrations/*.up.sql") == [("0001_make", False), ("0002_drop", True)]
    assert ids(tmp_path, "migrations/*.sql") == [("0001_make", False), ("0002_drop", True)]


def test_folders_tell_files_of_one_name_apart(tmp_path: Path) -> None:
    write(tmp_path, {f"prisma/migrations/{name}/migration.sql": "select 1" for name in ("1_a", "2_b")})
    assert ids(tmp_path, "prisma/migrations/*/migration.sql") == [
        ("1_a/migration", False),
        ("2_b/migration", False),
    ]


def test_an_app_without_migrations_has_none(tmp_path: Path) -> None:
    write(tmp_path, {"migrations/1.up.sql": "select 1"})
    assert read_migrations(files_of(tmp_path), None) == []
