"""Hosts that come and go: bare machines that set themselves up, join releases, follow them, and are lost.

The platform is the local fleet with a cloud around it (tests/fleet/cloud.py); user data, kit, agent, sshd,
HAProxy and pipeline are the real ones.
"""

import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hosts.agent.signature import KIT
from hosts.kit.archive import statement
from slipway.fleet.fleet import Fleet
from slipway.platforms.local.docker import Docker
from slipway.progress import Silent
from slipway.release.phases import Report
from slipway.release.rollback import go_back
from slipway.release.rollout import Options
from slipway.release.ship import ship
from slipway.secrets.ssh_signature import make_key, sign
from slipway.stack import LiveStack
from tests.fleet.cloud import AroundFleet, Instance, opened_around
from tests.fleet.site import Site
from tests.kits import kit_with

pytestmark = pytest.mark.fleet

FOLLOWS_SECONDS = 150
"""The timer looks once a minute; then the release is staged and booted, beside other tests."""


class Told(Silent):
    """Keeps what hosts were told to do, and lets a test act when a phase begins."""

    def __init__(self, when: Mapping[str, Callable[[], object]] | None = None) -> None:
        self.when = dict(when or {})
        self.heard: list[tuple[str, str]] = []

    @contextlib.contextmanager
    def phase(self, name: str, text: str = "") -> Generator[None]:
        self.when.get(name, lambda: None)()
        yield

    def host(self, host: str, text: str) -> None:
        self.heard.append((host, text))


@pytest.fixture(scope="module")
def cloud(live_site: Site) -> Generator[AroundFleet]:
    """The live site, opened as on a platform where hosts come and go."""
    with opened_around(live_site.project) as made:
        yield made


@pytest.fixture(scope="module")
def first(cloud: AroundFleet, live_site: Site) -> Instance:
    """A web host that set itself up while a release was live."""
    release(cloud, live_site)
    instance = cloud.start("web", 1)
    cloud.boot(instance)
    cloud.known.append(instance)
    return instance


def release(cloud: AroundFleet, site: Site, told: Told | None = None) -> Report:
    """Ship a changed app; new hosts find its layers, too."""
    site.change("for hosts that come and go")
    progress = told or Told()
    acts = progress.when.get("stage", lambda: None)
    progress.when["stage"] = lambda: (acts(), cloud.mirror(LiveStack(site.project).bucket))
    return ship(LiveStack(site.project), Options(observe_seconds=0, checks=False), progress)


def test_a_bare_machine_sets_itself_up_and_serves_the_live_release(first: Instance, live_site: Site):
    assert first.live == live_site.live()
    assert first.answers("/-/slipway/ready") == "200"
    assert first.answers("/health", "Host: localhost", "X-Forwarded-For: 203.0.113.9") == "200"
    status = first.agent("status")
    assert (status["host"], status["role"]) == (first.name, "web")
    assert (
        first.sh("systemctl is-enabled slipway-converge.timer slipway-restore.service").split()
        == ["enabled"] * 2
    )
    assert first.sh("systemctl is-active amazon-ssm-agent") == "active"


def test_what_it_logs_reaches_cloudwatch_with_its_release(first: Instance, cloud: AroundFleet):
    first.answers("/health", "Host: localhost", "X-Forwarded-For: 203.0.113.9")
    mark = secrets.token_hex(8)
    first.sh(f"logger --tag slipway-agent 'a line {mark}'")
    search = {"logGroupName": cloud.names.log_group("web"), "logStreamNames": [first.name]}

    def kept() -> list[dict[str, Any]]:
        pages = cloud.client("logs").get_paginator("filter_log_events").paginate(**search)
        return [json.loads(event["message"]) for page in pages for event in page["events"]]

    ends = time.monotonic() + 60
    while not any(mark in str(each.get("message")) for each in kept()) and time.monotonic() < ends:
        time.sleep(1)
    lines = kept()
    assert [each["slipway"]["process"] for each in lines if mark in str(each.get("message"))] == [
        "slipway-agent"
    ]
    of_the_app = [each for each in lines if each["slipway"]["process"] == "web"]
    assert {each["slipway"]["release"] for each in of_the_app} == {first.live}
    assert {each["slipway"]["host"] for each in lines} == {first.name}
    # A restart of the service sends nothing twice.
    first.sh("systemctl restart slipway-forward")
    assert first.sh("systemctl show -P NRestarts slipway-forward").strip() == "0"
    again = kept()
    assert sum(mark in str(each.get("message")) for each in again) == 1


def test_user_data_again_changes_nothing(first: Instance, cloud: AroundFleet):
    before = first.sh("systemctl show -P MainPID haproxy ssh; stat -c %Y /etc/haproxy/haproxy.cfg")
    assert "haproxy reload" not in cloud.boot(first)
    assert first.sh("systemctl show -P MainPID haproxy ssh; stat -c %Y /etc/haproxy/haproxy.cfg") == before


@pytest.mark.parametrize("by", ["no key", "a thief's key"])
def test_a_kit_that_a_thief_of_the_writer_key_puts_there_never_runs(
    by: str, first: Instance, cloud: AroundFleet, tmp_path: Path
):
    s3, bucket = cloud.client("s3"), cloud.bucket
    pointer = json.loads(s3.get_object(Bucket=bucket, Key="setup/web.json")["Body"].read())
    kit = kit_with("open('/run/thief', 'w').close()")
    digest = hashlib.sha256(kit).hexdigest()
    forged: dict[str, Any] = {**pointer, "key": "setup/thief.tar.gz", "sha256": digest}
    if by == "no key":
        forged = {name: forged[name] for name in ("key", "sha256", "bytes")}
    else:
        make_key(tmp_path / "thief", "thief")
        content = statement(cloud.names.fleet, "web", digest, forged["made"])
        forged["signature"] = sign(content, tmp_path / "thief", KIT)
    s3.put_object(Bucket=bucket, Key=forged["key"], Body=kit)
    s3.put_object(Bucket=bucket, Key="setup/web.json", Body=json.dumps(forged).encode())
    try:
        with pytest.raises(AssertionError, match="kit is not signed for role web of"):
            cloud.boot(first, tries=False)
        assert first.sh("ls /run/thief 2>/dev/null || true") == ""
    finally:
        cloud.publish_kit("web")
    cloud.boot(first)


def test_its_host_key_lies_where_it_alone_can_write(first: Instance, cloud: AroundFleet):
    key = " ".join(first.sh("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
    found = cloud.client("s3").get_object(Bucket=cloud.bucket, Key=f"hosts/{first.user_id}")["Body"].read()
    assert found.decode().strip() == key
    assert first.user_id.endswith(f":{first.id}")


def test_nobody_reaches_its_sshd_but_from_the_host_itself(first: Instance, live_site: Site):
    script = f"timeout 2 bash -c '</dev/tcp/{first.address}/%s' && echo open || echo shut"
    assert live_site.on("web1", script % 22).strip() == "shut"
    assert live_site.on("web1", script % 8080).strip() == "open"


def test_operators_come_in_by_instance_connect_with_the_pinned_key_only(first: Instance, cloud: AroundFleet):
    def let_in() -> str:
        host = next(each for each in Fleet(cloud.outputs()).hosts if each.name == first.name)
        spoil()
        done = host.connection.run(["id", "-un"])
        host.connection.close()
        return done.stdout.strip()

    keys = "meta-data/managed-ssh-keys/active-keys/admin/"
    public = " ".join(cloud.operator.with_name("operator.pub").read_text().split()[:2])
    spoil: Callable[[], object] = lambda: None  # noqa: E731
    assert let_in() == "root"
    forgeries = {
        "for another instance": cloud.signer.vouch(public, "i-00000000000000999"),
        "ended": cloud.signer.vouch(public, first.id, seconds=-1),
        "another key under the signature": cloud.signer.vouch("ssh-ed25519 AAAA", first.id).replace(
            "AAAA", public[12:]
        ),
    }
    for name, forged in forgeries.items():
        spoil = lambda forged=forged: first.metadata.texts.update({keys: forged})  # noqa: E731
        with pytest.raises(Exception, match=r"ssh key is not accepted"):
            pytest.fail(f"{name}: {let_in()} came in")


def test_a_host_that_joins_during_a_release_comes_to_it_before_it_is_promoted(
    first: Instance, cloud: AroundFleet, live_site: Site
):
    cloud.known.remove(first)
    told = Told({"switch": lambda: cloud.known.append(first)})
    report = release(cloud, live_site, told)
    assert first.live == report.release
    assert any(host == first.name and "joined" in text for host, text in told.heard)
    assert report.warnings == []


def test_a_host_that_joins_after_the_switch_comes_to_it_too(
    first: Instance, cloud: AroundFleet, live_site: Site
):
    cloud.known.remove(first)
    report = release(cloud, live_site, Told({"promote": lambda: cloud.known.append(first)}))
    assert first.live == report.release


def test_a_host_that_missed_a_release_follows_it_by_itself(
    first: Instance, cloud: AroundFleet, live_site: Site
):
    cloud.known.remove(first)
    report = release(cloud, live_site)
    took = first.wait_until_it_serves(report.release, FOLLOWS_SECONDS)
    print(f"followed after {took:.0f} s")
    cloud.known.append(first)


def test_a_rollback_takes_new_hosts_along(first: Instance, cloud: AroundFleet, live_site: Site):
    before = live_site.live()
    release(cloud, live_site)
    report = go_back(LiveStack(live_site.project), to=None, wait_seconds=0, progress=Silent())
    assert (report.release, report.warm) == (before, True)
    assert first.live == before
    assert first.agent("converge")["why"] == "serves it already"


def test_a_host_killed_during_a_release_is_dropped_once_it_is_gone(
    first: Instance, cloud: AroundFleet, live_site: Site
):
    told = Told({"boot": lambda: Docker().run("kill", first.container)})
    report = release(cloud, live_site, told)
    assert live_site.live() == report.release
    assert first.name in " ".join(report.warnings)
    assert any(host == first.name and "left the fleet" in text for host, text in told.heard)
