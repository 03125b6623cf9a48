"""Each write is done once, whatever is released, rolled back or reloaded meanwhile."""

import pytest

from tests.fleet.command import slipway
from tests.fleet.site import Site
from tests.fleet.writes import writes

pytestmark = pytest.mark.fleet


def test_each_write_is_done_once_through_releases_and_rollbacks(site: Site):
    with site.kept_source(), writes(site) as found:
        for change in ("one", "another"):
            site.change(change)
            site.release()
            back = slipway(site.root, "rollback", "--json")
            assert back.code == 0, back.out + back.err
            slipway(site.root, "resume")
    found.assert_each_was_done_once()


def test_each_write_is_done_once_while_proxies_reload(site: Site):
    with writes(site) as found:
        for host in ("web1", "edge", "web2", "edge"):
            site.on(host, "systemctl reload haproxy && sleep 2")
    found.assert_each_was_done_once()
