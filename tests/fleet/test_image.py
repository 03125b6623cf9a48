"""An app that is a container image: shipped, changed, taken back, and run without a container engine."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from slipway.platforms.local.docker import find_docker
from slipway.settings import open_project
from tests.fleet.command import slipway
from tests.fleet.foreign import Foreign, adopted, assert_no_red
from tests.fleet.toy import AgentHost


def _compile(app: Path) -> None:
    """The program that the Dockerfile copies."""
    go = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", "app", "."], cwd=app, env=go, check=True)


IMAGE = Foreign("image", prepare=_compile)


@pytest.fixture(scope="module")
def root() -> Generator[Path]:
    """A project with one web host. The app's folder has a program and a Dockerfile that copies it."""
    if find_docker() is None or not shutil.which("go"):
        pytest.skip("needs Docker and Go")
    with adopted(IMAGE) as root:
        yield root


def release(root: Path) -> dict[str, Any]:
    done = slipway(root, "release", "--json", "--observe", "0", "--no-checks", timeout=600)
    assert done.code == 0, done.out + done.err
    return done.json


def seen(root: Path) -> dict[str, Any]:
    """What the app says that it sees, through the edge."""
    project = open_project("local", root)
    trust = ssl.create_default_context(cafile=str(project.state_dir / "tls/ca.pem"))
    port = project.stack.local.https_port
    with urllib.request.urlopen(f"https://localhost:{port}/", context=trust, timeout=10) as answer:
        return json.load(answer)


def test_a_dockerfile_is_all_that_an_app_needs(root: Path):
    release(root)
    answer = seen(root)
    assert answer["text"] == "one\n"
    assert (answer["folder"], answer["mode"], answer["settings"]) == ("/home/app", "image", "hello")
    assert answer["user"] == "app-web"
    assert answer["home"] == "<nil>"
    assert answer["itself"] != "<nil>"
    assert "/srv" not in answer["root"]


def test_systemd_left_nothing_in_the_build_and_no_engine_is_on_the_host(root: Path):
    host = AgentHost(open_project("local", root), "web1")
    assert host.sh("command -v docker podman runc crun containerd || true") == ""
    status = host.ask("status")
    assert status["ok"]
    host.sh(
        "cd /srv/slipway/builds; for build in b*[0-9a-f]; do "
        "find $build -mindepth 1 -type d -newer $build.layers -print; done | { ! grep . ; }"
    )


def test_a_command_runs_in_the_live_image(root: Path):
    done = slipway(root, "run", "--", "app", "look")
    assert done.code == 0, done.out + done.err
    said = next(line for line in (done.out + done.err).splitlines() if '"folder"' in line)
    assert json.loads(said[said.index("{") :])["user"] == "app-task"


def test_a_change_is_shipped_and_taken_back_warm(root: Path):
    (root / "app/text").write_text("two\n")
    release(root)
    assert seen(root)["text"] == "two\n"
    back = slipway(root, "rollback", "--json", timeout=300)
    assert back.code == 0, back.out + back.err
    assert back.json["warm"]
    assert seen(root)["text"] == "one\n"


def test_no_check_is_red_for_no_fault_of_the_app(root: Path):
    assert_no_red(root)
