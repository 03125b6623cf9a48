"""Ids and contract marks of the migrations in a build."""

from __future__ import annotations

from pathlib import Path

from slipway.build.manifest import folder_digest, read_migrations, unmatched_migrations
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


def unmatched(root: Path, files: str) -> list[str]:
    return list(unmatched_migrations(files_of(root), Migrate(command="migrate", files=files)))


def test_files_beside_the_migrations_that_the_pattern_misses_are_known(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "migrations/0001_make.up.sql": "",
            "migrations/0001_make.down.sql": "",
            "migrations/0002_fill.ts": "",
            "migrations/meta/journal.json": "",
            "src/web.ts": "",
        },
    )
    assert unmatched(tmp_path, "migrations/*.up.sql") == [
        "migrations/0002_fill.ts",
        "migrations/meta/journal.json",
    ]
    assert unmatched(tmp_path, "**/*.up.sql") == unmatched(tmp_path, "migrations/*.up.sql")


def test_the_digest_of_a_folder_changes_with_every_file(tmp_path: Path) -> None:
    write(tmp_path, {"migrations/1.ts": "a"})
    one = folder_digest(files_of(tmp_path))
    write(tmp_path, {"migrations/1.ts": "b"})
    two = folder_digest(files_of(tmp_path))
    write(tmp_path, {"migrations/2.ts": "b"})
    assert len({one, two, folder_digest(files_of(tmp_path)), folder_digest({})}) == 4
