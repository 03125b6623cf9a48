"""A service that the app needs goes away while a release runs; the next command repairs what that broke."""

import pytest

from tests.fleet.command import slipway, start
from tests.fleet.site import Site

pytestmark = pytest.mark.fleet


def test_the_data_host_restarts_during_observe_and_the_next_command_repairs_the_fleet(site: Site):
    site.release()
    before = site.live()
    site.change("observed while the data host restarts")
    running = start(site.root, "release", "--json", "--no-checks", "--observe", "30")
    site.wait_for_phase(running, "observe")
    site.docker("restart", "-t", "1", site.container("data1"))
    out, err = running.communicate(timeout=300)
    site.wait_until_healthy()
    ended = running.returncode
    assert ended in (0, 1, 4), out + err
    after = slipway(site.root, "status", "--json", "--wait", "60")
    assert after.code == 0, after.out + after.err
    assert after.json["unfinished"] is None
    if ended != 0:
        assert after.json["live"] == before
    site.wait_until_worker_runs(after.json["live"])
    site.change("shipped by the command after that")
    site.release()
    site.wait_until_worker_runs(site.live())
