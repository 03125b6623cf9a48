"""An app that is a container image: shipped, changed, taken back, and run without a container engine."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import tempfile
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from slipway.platforms.local.docker import find_docker
from slipway.platforms.platform import platform_of
from slipway.progress import Silent
from slipway.secrets import age
from slipway.settings import open_project
from tests.fleet.checks.harness import run_checks
from tests.fleet.command import slipway
from tests.fleet.conftest import KEEP, NAME, write_project
from tests.fleet.toy import AgentHost

STANDIN = Path(__file__).with_name("standins") / "image"
NO_SERVICES = "  slipway:database: none\n  slipway:redis: false\n  slipway:uploads: false\n"


@pytest.fixture(scope="module")
def root() -> Generator[Path]:
    """A project with one web host. The app's folder has a program and a Dockerfile that copies it."""
    if find_docker() is None or not shutil.which("go"):
        pytest.skip("needs Docker and Go")
    root = Path(tempfile.gettempdir()) / f"slipway-{NAME}-image-{os.getuid()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_AGE_KEY_FILE", str(root / "age.key"))
        if not (root / "Pulumi.yaml").exists():
            write_project(root, f"{NAME}-image", web=1, worker=0)
            settings = root / "Pulumi.local.yaml"
            named = settings.read_text().replace("slipway:app: board\n", f"slipway:app: app\n{NO_SERVICES}")
            settings.write_text(named)
            (root / "age.key").write_text(f"{age.new_key()}\n")
        shutil.rmtree(root / "app", ignore_errors=True)
        shutil.copytree(STANDIN, root / "app")
        go = {**os.environ, "CGO_ENABLED": "0"}
        subprocess.run(["go", "build", "-o", "app", "."], cwd=root / "app", env=go, check=True)
        platform_of(open_project("local", root)).bring_up(Silent())
        yield root
        if not os.environ.get(KEEP):
            platform_of(open_project("local", root)).take_down(Silent(), volumes=True)
            shutil.rmtree(root)


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


def test_no_check_of_hosts_is_red(root: Path):
    found = run_checks(root, "I3", "I7", "I9", "I11", "P9", "S4", "S8")
    wrong = {each["id"]: each["reason"] for each in found.results if each["verdict"] == "fail"}
    assert wrong == {}, found.said
    assert found.ids("pass"), found.said
