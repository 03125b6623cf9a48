"""The observation window on live hosts: whose clock counts, what hangs, and what a pass is worth."""

from pathlib import Path

import pytest

from slipway.stack import LiveStack
from tests.fleet.command import slipway
from tests.fleet.faults.strikes import wrong_clock
from tests.fleet.sabotage import ANSWERS_500, HANGS
from tests.fleet.site import Site

pytestmark = pytest.mark.fleet


@pytest.mark.parametrize("seconds", [3600, -3600], ids=["an hour fast", "an hour slow"])
def test_a_wrong_clock_on_the_operators_machine_changes_no_verdict(site: Site, tmp_path: Path, seconds: int):
    env = wrong_clock(tmp_path, seconds)
    site.release()
    site.change("observed by hosts whose clocks are right")
    args = ("release", "--json", "--no-checks", "--observe")
    good = slipway(site.root, *args, "5", env=env)
    assert good.code == 0, good.out + good.err
    before = site.live()
    with site.sabotaged(ANSWERS_500):
        bad = slipway(site.root, *args, "10", env=env)
    assert bad.code == 1, bad.out + bad.err
    assert "5xx" in bad.error
    assert site.live() == before


def test_a_release_that_leaves_requests_without_an_answer_is_taken_back(site: Site):
    before = site.live()
    with site.sabotaged(HANGS):
        failed = slipway(site.root, "release", "--json", "--no-checks", "--observe", "20")
    assert failed.code == 1, failed.out + failed.err
    assert HANGS.says in failed.error
    assert site.live() == before


def test_a_pass_without_users_says_that_its_answers_were_to_probes_and_what_they_prove(site: Site):
    site.change("that no user looks at")
    shipped = slipway(site.root, "release", "--json", "--no-checks", "--observe", "5")
    assert shipped.code == 0, shipped.out + shipped.err
    events = LiveStack(site.project).ledger.events(shipped.json["release"])
    seen = next(event.detail for event in events if (event.phase, event.event) == ("observe", "done"))
    assert isinstance(seen["count"], int)
    assert seen["count"] >= 20
    assert seen["probes"] == seen["count"], "nothing but the agent's own requests"
    assert 0.01 < float(str(seen["notices_5xx_share"])) < 0.15
    assert "would have been noticed" in shipped.err
