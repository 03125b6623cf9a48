"""The migrations a build carries: their ids, hashes, and which of them bar a rollback."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from slipway.build.globs import matcher
from slipway.build.manifest import Migration
from slipway.build.tree import Entry
from slipway.settings.app import Migrate


def read_migrations(entries: Iterable[Entry], migrate: Migrate | None) -> list[Migration]:
    """The migrations among the app layer's `entries`, by id.

    An id is the file's name without `.up.sql` or `.sql`; where that tells nothing apart
    (`<id>/migration.sql`), its folder's name is put before it. Down scripts are not migrations.
    """
    if migrate is None:
        return []
    wanted = matcher([migrate.files])
    files = [
        entry
        for entry in entries
        if entry.kind == "file" and wanted(entry.name) and not entry.name.endswith(".down.sql")
    ]
    names = Counter(_short(entry.name) for entry in files)
    migrations: list[Migration] = []
    for entry in files:
        content = entry.origin.read_bytes()
        lines = content.decode("utf-8", "replace").splitlines()
        short = _short(entry.name)
        migrations.append(
            Migration(
                id=short if names[short] == 1 else f"{PurePosixPath(entry.name).parent.name}/{short}",
                contract=any(line.strip() == migrate.contract_marker.strip() for line in lines),
                sha256=hashlib.sha256(content).hexdigest(),
            )
        )
    return sorted(migrations, key=lambda migration: migration.id)


def _short(name: str) -> str:
    return PurePosixPath(name).name.removesuffix(".sql").removesuffix(".up")
