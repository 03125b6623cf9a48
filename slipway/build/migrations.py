"""The migrations a build carries: their ids, hashes, and which of them bar a rollback."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from slipway.build.globs import matcher
from slipway.build.manifest import Migration
from slipway.build.tree import Entry
from slipway.settings.app import Migrate


def read_migrations(entries: Iterable[Entry], migrate: Migrate | None) -> list[Migration]:
    """The migrations among the app layer's `entries`, by id."""
    if migrate is None:
        return []
    origins = {entry.name: entry.origin for entry in entries if entry.kind == "file"}
    return [_read(id_, path, migrate) for id_, path in migration_files(origins, migrate).items()]


def migration_files(files: Mapping[str, Path], migrate: Migrate | None) -> dict[str, Path]:
    """The migrations among `files` (where each is, by its name in the context), by id and sorted.

    An id is the file's name without `.up.sql` or `.sql`; where that tells nothing apart
    (`<id>/migration.sql`), its folder's name is put before it. Down scripts are not migrations.
    """
    if migrate is None:
        return {}
    wanted = matcher([migrate.files])
    names = [name for name in files if wanted(name) and not name.endswith(".down.sql")]
    count = Counter(_short(name) for name in names)

    def id_of(name: str) -> str:
        short = _short(name)
        return short if count[short] == 1 else f"{PurePosixPath(name).parent.name}/{short}"

    return dict(sorted((id_of(name), files[name]) for name in names))


def _read(id_: str, path: Path, migrate: Migrate) -> Migration:
    content = path.read_bytes()
    lines = content.decode("utf-8", "replace").splitlines()
    return Migration(
        id=id_,
        contract=any(line.strip() == migrate.contract_marker.strip() for line in lines),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _short(name: str) -> str:
    return PurePosixPath(name).name.removesuffix(".sql").removesuffix(".up")
