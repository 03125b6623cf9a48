"""A fleet of rented servers moves to another Debian, one web host after another, while it serves."""

from pathlib import Path

import pytest

from slipway.platforms.local.docker import find_docker
from slipway.settings.debian import RELEASES
from tests.fleet.checks.conftest import PROOF
from tests.fleet.servers import STACK, Laptop, PlainServer, laptop_with, on, reinstalled
from tests.fleet.traffic import traffic

pytestmark = [pytest.mark.fleet, PROOF]

ROLES = {"main": "[edge, worker, data]", "web1": "web", "web2": "web"}


def test_web_hosts_move_to_another_debian_one_by_one_and_nothing_is_lost(tmp_path: Path):
    if find_docker() is None:
        pytest.skip("no Docker")
    older, newer = (RELEASES[version] for version in sorted(RELEASES)[:2])
    with laptop_with(tmp_path, ROLES, older) as laptop:
        laptop.done("up")
        laptop.done("secrets", "generate")
        release(laptop)
        with traffic(laptop.root, stack=STACK, env=laptop.env, rps=20, seconds=1800) as flow:
            for name in ("web1", "web2"):
                server = next(each for each in laptop.servers if each.name == name)
                use(laptop, [each for each in laptop.servers if each is not server])
                use(laptop, [*laptop.servers, reinstalled(server, tmp_path / "keys", newer)])
                release(laptop)
        flow.assert_nothing_lost()
        suites = {
            each.name: on(each.name, ". /etc/os-release; echo $VERSION_CODENAME") for each in laptop.servers
        }
        assert suites == {"main": older.suite, "web1": newer.suite, "web2": newer.suite}
        status = laptop.done("status", "--json").json
        assert status["unreachable"] == {}
        assert {host["active"]["release"] for host in status["hosts"]} == {status["live"]}


def use(laptop: Laptop, servers: list[PlainServer]) -> None:
    laptop.servers = servers
    laptop.list_servers(servers)
    laptop.done("up")


def release(laptop: Laptop) -> None:
    laptop.done("release", "--observe", "0", "--no-checks")
