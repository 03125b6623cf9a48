"""An image by `slipway image bake`: a machine is set up, cleaned, switched off; another boots from its disk.

The second one starts the live release while no package mirror answers. Machines, kit, agent and HAProxy are
real; EC2's part (the disk becomes an image) is `docker commit`.
"""

import json
import subprocess
from collections.abc import Generator

import pytest

from slipway.platforms.local.docker import Docker
from slipway.progress import Silent
from slipway.release.rollout import Options
from slipway.release.ship import ship
from slipway.stack import LiveStack
from tests.fleet.checks.conftest import PROOF
from tests.fleet.cloud import AroundFleet, Instance, opened_around
from tests.fleet.site import Site

pytestmark = [pytest.mark.fleet, PROOF]

NO_MIRROR = """\
printf 'Acquire::%s::Proxy "http://127.0.0.1:9";\\n' http https > /etc/apt/apt.conf.d/zz-no-mirror
"""
OWN = """\
ls -d /etc/ssh/ssh_host_* /etc/slipway /srv/slipway /var/lib/slipway /var/cache/slipway /var/lib/amazon \
  /var/lib/cloud /var/lib/systemd/random-seed /root/.ssh /home/*/.ssh 2>/dev/null
find /var/log /var/lib/apt/lists -type f
find /var/lib/slipway-setup -mindepth 1 -maxdepth 1 ! -name 'python-*'
cat /etc/machine-id
services="haproxy.service amazon-ssm-agent.service"
systemctl list-unit-files --plain --no-legend --state=enabled 'slipway-*' $services || true
"""
"""Prints what a machine has for itself alone, or what would run before a host is set up."""


@pytest.fixture(scope="module")
def cloud(live_site: Site) -> Generator[AroundFleet]:
    """The live site with a cloud around it, and a release whose layers new hosts find."""
    with opened_around(live_site.project) as made:
        live_site.change("for hosts of a baked image")
        ship(LiveStack(live_site.project), Options(observe_seconds=0, checks=False), Silent())
        made.mirror(LiveStack(live_site.project).bucket)
        yield made


@pytest.fixture(scope="module")
def image(cloud: AroundFleet) -> Generator[str]:
    """The disk of a machine that was baked."""
    first, name = cloud.start("web", 40), f"{cloud.project.fleet_id}-baked"
    said = cloud.bake(first)
    assert said["state"] == "ready", said
    assert said["debian"].split(".")[0] in {"12", "13"}, said
    Docker().run("commit", first.container, name)
    yield name
    for instance in cloud.instances:
        Docker().run("rm", "--force", "--volumes", instance.container, check=False)
    Docker().run("rmi", "--force", name)


@pytest.fixture(scope="module")
def second(cloud: AroundFleet, image: str) -> Instance:
    """A new machine from that disk, with no mirror and nowhere to get Systems Manager's agent from."""
    instance = cloud.start("web", 41, image)
    instance.metadata.files.clear()
    instance.sh(NO_MIRROR)
    update = "apt-get -q update -o APT::Update::Error-Mode=any -o Acquire::Retries=0 >/dev/null 2>&1"
    assert instance.sh(f"{update} && echo it answers || echo blocked") == "blocked"
    instance.said = cloud.boot(instance)
    return instance


def test_nothing_of_the_machine_is_left_in_the_image(image: str):
    assert Docker().text("run", "--rm", "--entrypoint", "sh", image, "-c", OWN).strip() == ""


def test_no_secret_of_the_stack_is_in_the_image(
    cloud: AroundFleet, image: str, tmp_path_factory: pytest.TempPathFactory
):
    values = [value for value in LiveStack(cloud.project).secrets.values() if len(value) >= 12]
    assert len(values) > 3
    wanted = tmp_path_factory.mktemp("secrets") / "values"
    wanted.write_text("\n".join(line for value in values for line in value.splitlines() if len(line) >= 12))
    made = Docker().text("create", image).strip()
    try:
        disk = subprocess.Popen(["docker", "export", made], stdout=subprocess.PIPE)
        found = subprocess.run(
            ["grep", "-a", "-c", "-F", "-f", wanted],
            stdin=disk.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        assert disk.wait() == 0
    finally:
        Docker().run("rm", made)
    assert (found.returncode, found.stdout.strip()) == (1, "0")


def test_a_host_of_the_image_serves_the_live_release_without_a_package_mirror(
    second: Instance, live_site: Site
):
    assert second.live == live_site.live()
    assert second.answers("/-/slipway/ready") == "200"
    assert second.answers("/health", "Host: localhost", "X-Forwarded-For: 203.0.113.9") == "200"
    assert "package lists" not in second.said
    assert (
        second.sh("systemctl is-active amazon-ssm-agent haproxy ssh slipway-converge.timer").split()
        == ["active"] * 4
    )


def test_it_is_a_host_of_its_own(second: Instance, cloud: AroundFleet):
    assert json.loads(second.sh("cat /etc/slipway/host.json"))["instance"] == second.id
    assert len(second.sh("cat /etc/machine-id")) == 32
    key = cloud.client("s3").get_object(Bucket=cloud.bucket, Key=f"hosts/{second.user_id}")["Body"].read()
    assert key.decode().split()[:2] == second.sh("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2]


def test_it_is_not_ready_before_it_is_set_up(cloud: AroundFleet, image: str):
    bare = cloud.start("web", 42, image)
    assert bare.answers("/-/slipway/ready") == "000"
    assert bare.sh("systemctl is-active haproxy slipway-converge.timer || true").split() == ["inactive"] * 2


def test_a_worker_is_baked_and_starts_the_same_way(cloud: AroundFleet, live_site: Site):
    first, name = cloud.start("worker", 50), f"{cloud.project.fleet_id}-baked-worker"
    said = cloud.bake(first)
    assert said["state"] == "ready", said
    Docker().run("commit", first.container, name)
    try:
        assert Docker().text("run", "--rm", "--entrypoint", "sh", name, "-c", OWN).strip() == ""
        second = cloud.start("worker", 51, name)
        second.metadata.files.clear()
        second.sh(NO_MIRROR)
        cloud.boot(second)
        assert second.live == live_site.live()
        Docker().run("rm", "--force", "--volumes", second.container)
    finally:
        Docker().run("rmi", "--force", name)
