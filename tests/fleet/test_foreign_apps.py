"""Apps as their ecosystems write them: `init`, doctor's requests, releases, checks, load, and ways back."""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator

import pytest

from tests.fleet.checks.conftest import PROOF
from tests.fleet.command import slipway
from tests.fleet.foreign import Adopted, Foreign, adopted, assert_no_red
from tests.fleet.foreign_apps import FOREIGN

# A fleet for each, so `script/test proof` runs it; its quick half is tests/unit/adopt/test_standins.py.
pytestmark = PROOF
MOST_EDITS = 3


@pytest.fixture(scope="module", params=FOREIGN, ids=str)
def site(request: pytest.FixtureRequest) -> Generator[Adopted]:
    """A repository after `init` and the edits that doctor named, with its first release."""
    foreign: Foreign = request.param
    if missing := [tool for tool in foreign.tools if not shutil.which(tool)]:
        pytest.skip(f"needs {', '.join(missing)}")
    with adopted(foreign) as site:
        slipway(site.root, "resume")  # which only a fleet that was kept needs
        site.ship()
        yield site


def test_at_most_three_edits_lie_between_init_and_a_live_site(site: Adopted) -> None:
    assert len(site.made) <= MOST_EDITS
    assert site.said() == 0


def test_no_check_is_red_for_what_init_wrote(site: Adopted) -> None:
    assert_no_red(site.root)


def test_it_carries_the_load_of_a_smoke_test(site: Adopted) -> None:
    done = slipway(site.root, "load", "--profile", "smoke", "--json", timeout=300)
    assert done.code == 0, done.out + done.err


def test_each_release_with_a_new_migration_migrates(site: Adopted) -> None:
    """The second one with the owner's own slipway.toml."""
    first = site.live()
    site.completed()
    for number in (1, 2):
        site.say(number)
        if site.foreign.migration:
            site.foreign.migration(site.root, number)
            assert f"extra{number}" not in site.foreign.columns(site)
        site.ship("--no-checks")
        assert site.said() == number
        if site.foreign.migration:
            assert f"extra{number}" in site.foreign.columns(site)
    assert site.live() == first + 2


def test_no_check_is_red_for_what_its_owner_completed(site: Adopted) -> None:
    if not site.completion.exists():
        pytest.skip("its owner left slipway.toml as init wrote it")
    assert_no_red(site.root)


def test_its_schedules_run(site: Adopted) -> None:
    entries = site.project.app.cron
    if not entries:
        pytest.skip("it has no schedule")
    ends = time.monotonic() + 60
    runs = site.cron_runs()
    while set(runs) != set(entries) and time.monotonic() < ends:
        time.sleep(1)
        runs = site.cron_runs()
    assert {name: run["failure"] for name, run in runs.items()} == dict.fromkeys(entries, "")


def test_a_rollback_works_warm_and_cold(site: Adopted) -> None:
    newest = site.live()
    warm = slipway(site.root, "rollback", "--json")
    assert warm.code == 0, warm.out + warm.err
    assert warm.json["warm"] is True
    assert site.said() == 1
    cold = slipway(site.root, "rollback", "--to", str(newest - 2), "--json")
    assert cold.code == 0, cold.out + cold.err
    assert cold.json["warm"] is False
    assert site.said() == 0
