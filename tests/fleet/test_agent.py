"""The host agent on a real host: killed at any instant, fooled by buckets and disks, rebooted."""

import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Generator

import pytest

from slipway.settings import Project
from tests.fleet.toy import AgentHost, publish

pytestmark = pytest.mark.fleet

FIRST, SECOND = 990_001, 990_002
KILLS = 15

KILL = """\
printf '{"fence": %d, "step": %d, "release": %d, "hold_seconds": 3600}' "$1" "$2" "$3" > /run/agent-test
slipway-agent switch < /run/agent-test > /dev/null & pid=$!
sleep "$4"; kill -9 $pid 2> /dev/null; wait $pid 2> /dev/null; echo $?
"""
"""A switch killed after $4 seconds; prints 137 if it had not ended before."""


@pytest.fixture
def web(fleet: Project) -> Generator[AgentHost]:
    """web1 with FIRST live and SECOND booted; afterwards whatever was live before is live again."""
    yield from two_toys(AgentHost(fleet, "web1"))


@pytest.fixture
def worker(fleet: Project) -> Generator[AgentHost]:
    yield from two_toys(AgentHost(fleet, "worker1"))


def two_toys(host: AgentHost) -> Generator[AgentHost]:
    before, kinds = host.live, host.ask("status")["cron_kinds"]
    if before:
        host.do("switch", release=before, cron_owner=False)
    else:
        host.ship(FIRST)
        host.do("switch", release=FIRST, hold_seconds=3600)
    host.ship(SECOND)
    try:
        yield host
    finally:
        if before:
            host.do("boot", release=before)  # a host that has just rebooted may not be that far yet
        host.do("switch", release=before, cron_owner=bool(kinds), cron_kinds=kinds)
        for toy in (FIRST, SECOND):
            host.do("stop", release=toy)


def ask_8080(host: AgentHost) -> str:
    return host.sh(
        "curl -s -o /dev/null -w '%{http_code}' -H 'Host: localhost' localhost:8080/health"
    ).strip()


def test_a_switch_killed_at_any_instant_leaves_a_host_that_serves_and_that_the_next_command_repairs(
    web: AgentHost,
):
    other = web.live
    ended: Counter[str] = Counter()
    longest = 0.09
    for turn in range(KILLS):
        target = SECOND if turn % 2 == 0 else other
        after = random.uniform(0, longest)
        code = web.sh(KILL, str(web.fence), str(web.step), str(target), f"{after:.4f}").strip()
        ended[code] += 1
        # How long a switch takes depends on the machine: the kills come within the time that it took here.
        longest = longest * 1.3 if code == "137" else after
        assert ask_8080(web) == "200"
        web.do(("retire", "switch")[turn % 2], **({"release": target} if turn % 2 else {}))
        assert len(set(web.routes())) == 1
    assert ended["137"], f"no switch was under way when it was killed: {ended}"


def test_an_older_fence_is_refused_and_moves_nothing(web: AgentHost):
    before = web.routes()
    web.do("retire")
    refused = web.ask("switch", fence=web.fence - 1, release=SECOND)
    assert refused["error"]["code"] == "fenced"
    assert web.routes() == before


def test_a_corrupt_layer_is_refused_with_both_digests_and_the_warm_release_stays(web: AgentHost):
    layer = publish(web.project, "corrupt", b"these are other bytes")
    manifest: dict[str, object] = {"layers": [layer], "processes": {}}
    refused = web.stage(990_003, manifest=manifest)
    assert refused["error"]["code"] == "corrupt_layer"
    assert refused["error"]["digest"] == layer["digest"] != refused["error"]["got"]
    assert not web.sh("ls /srv/slipway/unfinished").split()
    web.do("switch", release=SECOND)


def test_a_full_disk_is_refused_with_numbers_and_the_host_serves_on(web: AgentHost):
    web.sh("mount -t tmpfs -o size=16m tmpfs /srv/slipway")
    try:
        refused = web.stage(990_004)
        assert ask_8080(web) == "200"
    finally:
        web.sh("umount /srv/slipway")
    assert refused["error"]["code"] == "disk_full"
    assert refused["error"]["has"] <= 16 << 20 < refused["error"]["needs"]
    assert "MiB free" in refused["error"]["message"]
    web.do("switch", release=SECOND)


def test_a_host_that_reboots_in_the_middle_of_a_switch_serves_again(web: AgentHost):
    web.sh(KILL, str(web.fence), str(web.step), str(SECOND), "0.04")
    subprocess.run(["docker", "restart", "-t", "2", web.container], check=True, capture_output=True)
    ends = time.monotonic() + 60
    while ask_after_restart(web) != "200":
        assert time.monotonic() < ends
        time.sleep(0.5)
    assert len(set(web.routes())) == 1


def ask_after_restart(host: AgentHost) -> str:
    try:
        return ask_8080(host)
    except subprocess.CalledProcessError:
        return "not up yet"


def test_a_killed_handover_never_leaves_two_workers_and_is_finished_by_the_next_command(worker: AgentHost):
    for target, after in ((SECOND, "0.3"), (worker.live, "1.2")):
        worker.sh(KILL, str(worker.fence), str(worker.step), str(target), after)
        assert len(worker.running("*")) <= 1
        worker.do("switch", release=target)
        assert worker.live == target
        assert len(worker.running("*")) >= 1


def test_a_switch_back_cuts_a_handover_in_the_background_short(worker: AgentHost):
    before = worker.live
    assert worker.do("switch", release=SECOND, wait=False)["handover"]
    worker.do("switch", release=before)
    assert worker.live == before
    assert worker.ask("status")["handover"] is None


def test_the_units_of_an_app_are_hardened_and_its_secrets_are_roots(web: AgentHost):
    unit = web.running("web")[0]
    verdict = web.sh(f"systemd-analyze security --no-pager {unit} | tail -1")
    exposure = re.search(r": (\d+\.\d+) ", verdict)
    assert exposure and float(exposure[1]) <= 2.5, verdict
    modes = web.sh("find /etc/slipway/env -name '*.env' -printf '%m %u\\n'").split("\n")
    assert set(filter(None, modes)) == {"600 root"}
