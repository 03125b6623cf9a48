"""The brake on live hosts: a rollback stops a release that runs, and its stack is held after it."""

import json
import time

import pytest

from tests.fleet.command import slipway, start
from tests.fleet.sabotage import prepend
from tests.fleet.site import Site
from tests.fleet.traffic import traffic

pytestmark = pytest.mark.fleet
AS_CI = {"CI": "true"}


@pytest.mark.parametrize("phase", ["observe", "boot"])
def test_a_rollback_stops_a_release_that_runs_and_nothing_is_lost(site: Site, phase: str):
    site.change("the one before")
    site.release()
    site.change("users have this one")
    site.release()
    live = site.live()
    site.change("to be stopped")
    with site.kept_source(), traffic(site.root) as meter:
        if phase == "boot":
            prepend(site.app / "src/web.ts", "await new Promise((go) => setTimeout(go, 25_000));")
        running = start(site.root, "release", "--json", "--no-checks", "--observe", "120")
        site.wait_for_phase(running, phase)
        if phase == "observe":
            time.sleep(2)
        began = time.monotonic()
        back = slipway(site.root, "rollback", "--json")
        seconds = time.monotonic() - began
        out, err = running.communicate(timeout=60)
        noticed = time.monotonic() - began
    print(f"\nrollback in {phase}: {seconds:.2f} s whole, the release ended after {noticed:.2f} s")
    print(f"rollback: {back.json}\nrelease: {out}")
    assert back.code == 0, back.out + back.err
    assert site.live() == back.json["release"]
    if phase == "observe":  # users had it: they go back to what they had before
        assert back.json["release"] == live
        assert back.json["warm"]
    else:  # users did not: the rollback goes back from what they have
        assert back.json["from"] == live
    assert any("stopped release" in warning for warning in back.json["warnings"])
    assert running.returncode == 3, out + err
    error = json.loads(out)["error"]
    assert "pre-empted" in error["message"]
    assert "`slipway rollback`" in error["message"]
    # It waits some seconds for the rollback's end, and says what serves then, or what is still under way.
    serving = error["details"][0]
    assert serving.startswith((f"Release {back.json['release']} serves", f"Release {live} serves")) or (
        "has taken over" in error["message"] and serving.startswith("The hosts differ: ")
    )
    seen = slipway(site.root, "status", "--json").json
    assert seen["unfinished"] is None
    assert seen["live"] == back.json["release"]
    assert [hold["cause"] for hold in seen["holds"]] == ["rollback"]
    meter.assert_nothing_lost()


def test_after_a_rollback_the_same_build_and_ci_wait_for_a_person(site: Site):
    site.release()
    site.change("rolled back")
    site.release()
    assert slipway(site.root, "rollback", "--json").code == 0
    live = site.live()

    again = slipway(site.root, "release", "--json", "--no-checks", "--observe", "0")
    assert again.code == 4, again.out + again.err
    assert "which a rollback took back" in again.error
    site.change("a fix")
    by_ci = slipway(site.root, "release", "--json", "--no-checks", "--observe", "0", env=AS_CI)
    assert by_ci.code == 4, by_ci.out + by_ci.err
    assert "slipway resume --stack local" in by_ci.error
    assert site.live() == live

    assert len(slipway(site.root, "resume", "--json").json["lifted"]) == 1
    shipped = slipway(site.root, "release", "--json", "--no-checks", "--observe", "0", env=AS_CI)
    assert shipped.code == 0, shipped.out + shipped.err


def test_a_person_holds_the_stack_and_a_rollback_goes_on_all_the_same(site: Site):
    site.change("held")
    site.release()
    assert slipway(site.root, "hold", "--reason", "the holidays").code == 0
    site.change("not now")
    refused = slipway(site.root, "release", "--json", "--no-checks", "--after-rollback")
    assert refused.code == 4, refused.out + refused.err
    assert "the holidays" in refused.error
    assert "held by" in slipway(site.root, "status").out
    assert slipway(site.root, "rollback", "--json").code == 0
    assert len(slipway(site.root, "resume", "--json").json["lifted"]) == 2
