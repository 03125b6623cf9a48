"""The schema of the database and that of the live release (X15)."""

from __future__ import annotations

from checks.data.services import ask, connect_database, owner_url, released_migrations
from checks.kit.check import check, not_evaluated
from slipway.stack import LiveStack


@check(
    "X15",
    "S8",
    severity="high",
    why="a schema that no release has made is one that no release was tested with, and no rollback knows",
    remedy="write the change as a migration and release it; delete what was applied by hand",
    needs=("slipway:database", "migrate", "checks.migrations_query"),
)
def test_the_schema_is_the_releases(live: LiveStack) -> None:
    query = live.app.checks.migrations_query
    if live.app.migrate is None or not query:
        not_evaluated("declare [migrate] and checks.migrations_query in slipway.toml")
    release = live.ledger.head().live
    if release is None:
        not_evaluated("nothing was released yet")
    released = released_migrations(live, release)
    with connect_database(live, owner_url(live)) as owner:
        applied = {str(row[0]) for row in ask(owner, query)}
    unknown = applied - set(released)
    if unknown:
        # After a rollback the schema keeps what the later release has added.
        unknown -= _of_later_releases(live, release)
    assert not unknown, f"applied, and in no release: {', '.join(sorted(unknown))}"


def _of_later_releases(live: LiveStack, release: int) -> set[str]:
    """Migrations of the releases after `release`, which was rolled back to."""
    found: set[str] = set()
    number = release + 1
    while record := live.ledger.find(number):
        found |= {migration.id for migration in live.manifest(record.build).migrations}
        number += 1
    return found
