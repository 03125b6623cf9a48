"""Hosts that restart serve the same release again, without a command."""

import pytest

from tests.fleet.site import Site
from tests.fleet.traffic import traffic

pytestmark = pytest.mark.fleet

HOSTS = ("edge", "web1", "web2", "worker1", "data1")


def test_a_web_host_that_is_switched_off_closes_its_sockets_in_good_order(site: Site):
    with traffic(site.root, rps=10, tail=4) as flow:
        site.docker("restart", "-t", "60", site.container("web1"))
        site.wait_until_healthy()
    assert flow.report["sockets"]["reconnected"] > 0, "web1 had none"
    assert flow.report["sockets"]["abnormal"] == 0, flow.report["kinds"]


@pytest.mark.parametrize("host", HOSTS)
def test_after_a_restart_of_one_host_the_same_release_serves(site: Site, host: str):
    before = site.live()
    site.docker("restart", "-t", "10", site.container(host))
    site.wait_until_healthy()
    assert site.live() == before
    site.wait_until_worker_runs(before)


def test_after_a_restart_of_all_hosts_at_once_the_same_release_serves(site: Site):
    before = site.live()
    site.docker("restart", "-t", "10", *(site.container(host) for host in HOSTS))
    site.wait_until_healthy(90)
    assert site.live() == before
    site.wait_until_worker_runs(before)
