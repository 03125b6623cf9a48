"""What moves the schema runs, however the command and the migrations are written."""

import pytest

from slipway.stack import LiveStack
from tests.fleet.command import slipway
from tests.fleet.sabotage import edit
from tests.fleet.site import Site

pytestmark = pytest.mark.fleet

COMMAND = 'command = "bun run src/migrate.ts up"'


def why(site: Site) -> object:
    """Why the newest release ran its migrate command; None if it did not."""
    ledger = LiveStack(site.project).ledger
    events = ledger.events(ledger.history(1)[0].number)
    done = next(event for event in events if (event.phase, event.event) == ("migrate", "done"))
    return done.detail.get("why")


def test_the_command_is_a_shell_command(site: Site):
    """Split into words, `true` would take the rest as arguments and migrate nothing, with exit code 0."""
    with site.kept_source():
        edit(
            site.app / "slipway.toml",
            COMMAND,
            COMMAND.replace('"bun', '"true && WAY=up && bun').replace(" up", " $WAY"),
        )
        name = f"9600_shell_{site.live()}"
        (site.app / "migrations" / f"{name}.up.sql").write_text("SELECT no_such_function();\n")
        (site.app / "migrations" / f"{name}.down.sql").write_text("SELECT 1;\n")
        failed = slipway(site.root, "release", "--json", "--observe", "0", "--no-checks")
    assert failed.code == 1, failed.out + failed.err
    assert "no_such_function" in failed.error


def test_a_migration_that_the_pattern_misses_runs_the_command(site: Site):
    site.release()
    with site.kept_source():
        site.change("no migration")
        site.release()
        assert why(site) is None
        (site.app / "migrations" / "9601_fill.ts").write_text("export {};\n")
        site.release()
        assert "migrations have changed" in str(why(site))
