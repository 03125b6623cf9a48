"""Each write is done once, whatever is released, rolled back, reloaded or restarted meanwhile."""

import pytest

from tests.fleet.command import slipway
from tests.fleet.site import Site
from tests.fleet.writes import writes

pytestmark = pytest.mark.fleet

RESTART = """slot=$(python3 -c 'import json; print(json.load(open("/var/lib/slipway/state.json"))["active"])')
systemctl restart "slipway-web@$slot-1" && sleep 3
"""


def test_each_write_is_done_once_through_releases_and_rollbacks(site: Site):
    with site.kept_source(), writes(site) as found:
        site.change("writes")
        site.release()
        for _ in range(2):
            back = slipway(site.root, "rollback", "--json")
            assert back.code == 0, back.out + back.err
            slipway(site.root, "resume")
    found.assert_each_was_done_once()


def test_each_write_is_done_once_while_proxies_reload(site: Site):
    with writes(site) as found:
        for host in ("web1", "edge", "web2", "edge"):
            site.on(host, "systemctl reload haproxy && sleep 2")
    found.assert_each_was_done_once()


def test_each_write_is_done_once_while_processes_restart(site: Site):
    with writes(site) as found:
        for host in ("web1", "web2"):
            unit = site.on(
                host, "systemctl list-units --plain --no-legend 'slipway-web@*' | grep -o '^[^ ]*' | head -1"
            )
            site.on(host, f"systemctl restart {unit.strip()} && sleep 3")
    found.assert_each_was_done_once()
