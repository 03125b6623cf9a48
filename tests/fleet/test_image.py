"""An app that is a container image: shipped, changed, taken back, and run without a container engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator

import pytest

from slipway.platforms.local.docker import find_docker
from tests.fleet.command import slipway
from tests.fleet.foreign import Adopted, adopted, assert_no_red
from tests.fleet.foreign_apps import IMAGE
from tests.fleet.toy import AgentHost


@pytest.fixture(scope="module")
def site() -> Generator[Adopted]:
    """A repository with one web host, a program, and a Dockerfile that copies it."""
    if find_docker() is None or not shutil.which("go"):
        pytest.skip("needs Docker and Go")
    with adopted(IMAGE) as site:
        yield site


def test_a_dockerfile_is_all_that_an_app_needs(site: Adopted):
    site.ship("--no-checks")
    answer = site.get("/").json()
    assert answer["text"] == "one\n"
    assert (answer["folder"], answer["mode"], answer["settings"]) == ("/home/app", "image", "hello")
    assert answer["user"] == "app-web"
    assert answer["home"] == "<nil>"
    assert answer["itself"] != "<nil>"
    assert "/srv" not in answer["root"]


def test_systemd_left_nothing_in_the_build_and_no_engine_is_on_the_host(site: Adopted):
    host = AgentHost(site.project, "web1")
    assert host.sh("command -v docker podman runc crun containerd || true") == ""
    status = host.ask("status")
    assert status["ok"]
    host.sh(
        "cd /srv/slipway/builds; for build in b*[0-9a-f]; do "
        "find $build -mindepth 1 -type d -newer $build.layers -print; done | { ! grep . ; }"
    )


def test_a_command_runs_in_the_live_image(site: Adopted):
    done = slipway(site.root, "run", "--", "app", "look")
    assert done.code == 0, done.out + done.err
    said = next(line for line in (done.out + done.err).splitlines() if '"folder"' in line)
    assert json.loads(said[said.index("{") :])["user"] == "app-task"


def test_a_change_is_shipped_and_taken_back_warm(site: Adopted):
    (site.root / "text").write_text("two\n")
    site.ship("--no-checks")
    assert site.get("/").json()["text"] == "two\n"
    back = slipway(site.root, "rollback", "--json", timeout=300)
    assert back.code == 0, back.out + back.err
    assert back.json["warm"]
    assert site.get("/").json()["text"] == "one\n"


def test_no_check_is_red_for_no_fault_of_the_app(site: Adopted):
    assert_no_red(site.root)
