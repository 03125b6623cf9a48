"""One server with every role: released to under traffic, checked, and joined by a second one."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from slipway.platforms.local.docker import find_docker
from tests.debian import DEBIAN
from tests.fleet.servers import STACK, Laptop, health, laptop_with, on, reds
from tests.fleet.traffic import traffic

pytestmark = pytest.mark.fleet

ROLES = {"one": "[edge, web, worker, data]", "two": "[web, worker]"}
RPS = 300
SOCKETS = 100


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Laptop]:
    """The stack is the server `one`; `two` is there and not listed."""
    if find_docker() is None:
        pytest.skip("no Docker")
    with laptop_with(tmp_path_factory.mktemp("one"), ROLES) as made:
        made.list_servers(made.servers[:1])
        yield made


def change(laptop: Laptop, text: str) -> None:
    (laptop.root / "board" / "public" / "note.txt").write_text(f"{text}\n")


def served(laptop: Laptop) -> dict[str, int]:
    """By host, the release that it serves."""
    hosts = laptop.done("status", "--json").json["hosts"]
    return {host["host"]: host["active"]["release"] for host in hosts}


def test_up_and_a_release_on_one_server(laptop: Laptop):
    laptop.done("up")
    laptop.done("secrets", "generate")
    released = laptop.done("release", "--json", "--observe", "0", "--no-checks").json
    assert health(laptop)["release"] == released["release"]
    units = on("one", "systemctl list-units --plain --no-legend 'slipway-*@*' | cut -d' ' -f1")
    assert {line.partition("@")[0] for line in units.splitlines()} == {"slipway-web", "slipway-worker"}


def test_a_release_and_a_rollback_under_traffic_lose_nothing(laptop: Laptop):
    before = health(laptop)["release"]
    change(laptop, "another build")
    with traffic(laptop.root, rps=RPS, sockets=SOCKETS, stack=STACK, env=laptop.env) as meter:
        released = laptop.done("release", "--json", "--observe", "3", "--no-checks").json
        assert served(laptop) == {"one": released["release"]}
        # No handover is left to the background: the workers are the new release's when the command ends.
        assert on("one", "systemctl list-units --plain --no-legend 'slipway-worker@*' | wc -l") == "1"
        back = laptop.done("rollback", "--json").json
    assert back["warm"]
    assert health(laptop)["release"] == before
    meter.assert_nothing_lost()


def test_checks_find_nothing_that_one_server_could_not_have(laptop: Laptop):
    found = laptop.run("check", "--json").json["results"]
    assert reds(found) == {}
    assert len({each["id"] for each in found if each["verdict"] == "pass"}) >= 90


def test_a_worker_that_does_not_start_sends_the_release_back(laptop: Laptop):
    before = health(laptop)["release"]
    settings = laptop.root / "board" / "slipway.toml"
    kept = settings.read_text()
    settings.write_text(kept.replace('command = "bun run src/worker.ts"', 'command = "false"'))
    assert settings.read_text() != kept
    try:
        failed = laptop.run("release", "--json", "--observe", "0", "--no-checks")
    finally:
        settings.write_text(kept)
    assert failed.code == 1, failed.out + failed.err
    assert "handing over the workers failed" in failed.error
    assert health(laptop)["release"] == before


def test_a_second_server_joins_and_the_first_one_restarts_nothing(laptop: Laptop):
    services = f"haproxy postgresql@{DEBIAN.postgresql}-main pgbouncer redis-server versitygw"
    ask = f"systemctl show --value -p MainPID {services}"
    before = on("one", ask)
    laptop.list_servers(laptop.servers)
    laptop.done("up")
    change(laptop, "a build for two")
    released = laptop.done("release", "--json", "--observe", "0", "--no-checks").json
    assert on("one", ask) == before
    served = {
        host["host"]: host["active"]["release"] for host in laptop.done("status", "--json").json["hosts"]
    }
    assert served == {"one": released["release"], "two": released["release"]}
