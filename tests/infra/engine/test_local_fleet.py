"""`pulumi up --stack local`, for real: the fleet, a release on it, nothing to change, drift, nothing left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from slipway.platforms.local.docker import find_docker
from slipway.platforms.platform import platform_of
from slipway.secrets import age
from slipway.settings import Outputs, open_project
from tests.fleet.command import slipway
from tests.fleet.conftest import refresh_app, write_project
from tests.infra.engine.conftest import available

REPOSITORY = Path(__file__).parents[3]
NAME = "slipengine"

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(1800)]

Pulumi = Callable[..., str]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A project with this repository's infra/, its own name and ports; its fleet is taken down at the end."""
    if not available():
        pytest.skip("no Pulumi CLI, or no uv, on PATH")
    if find_docker() is None and os.geteuid() != 0:
        pytest.skip("no Docker, and not root to install it")
    root = write_project(tmp_path_factory.mktemp("engine") / "project", NAME)
    refresh_app(root)
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "infra", root / "infra", ignore=skipped)
    # Without a pyproject.toml, so that the engine leaves this environment as it is.
    shutil.copy(REPOSITORY / "uv.lock", root)
    settings = {
        "name": NAME,
        "runtime": {"name": "python", "options": {"toolchain": "uv", "virtualenv": sys.prefix}},
        "main": "infra/",
        "plugins": {"providers": [{"name": "pulumi-python", "path": "infra/local/plugin"}]},
    }
    (root / "Pulumi.yaml").write_text(json.dumps(settings))
    (root / "age.key").write_text(f"{age.new_key()}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_AGE_KEY_FILE", str(root / "age.key"))
        patch.setenv("PULUMI_CONFIG_PASSPHRASE", "a passphrase of this test")
        patch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path_factory.mktemp('state')}")
        patch.setenv("PULUMI_HOME", str(tmp_path_factory.mktemp("home")))
        yield root
        if (root / ".slipway/local").exists():
            slipway(root, "down", "--volumes")


@pytest.fixture(scope="module")
def pulumi(root: Path) -> Pulumi:
    def run(*arguments: str) -> str:
        command = ["pulumi", *arguments, "--stack", "local", "--non-interactive"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_whole_way(root: Path, pulumi: Pulumi) -> None:
    subprocess.run(["pulumi", "stack", "init", "local", "--no-select"], cwd=root, check=True)

    assert "2 created" in pulumi("up", "--yes", "--skip-preview")
    promised = Outputs.model_validate_json(pulumi("stack", "output", "--json"))
    assert promised == Outputs.model_validate_json((root / ".slipway/local/outputs.json").read_text())
    assert {host.role for host in promised.hosts} == {"edge", "web", "worker", "data"}

    assert "2 unchanged" in pulumi("up", "--yes", "--skip-preview")

    assert slipway(root, "secrets", "generate").code == 0
    released = slipway(root, "release", "--json", "--observe", "0", timeout=600)
    assert released.code == 0, released.out + released.err
    assert _answers(promised)
    assert "2 unchanged" in pulumi("up", "--yes", "--skip-preview")

    state = pulumi("stack", "export")
    values = platform_of(open_project("local", root)).secret_store().read()
    assert f"{NAME}-local" in state
    assert [name for name, value in values.items() if len(value) >= 8 and value in state] == []

    subprocess.run(["docker", "stop", "--time", "1", f"{NAME}-local-web2"], check=True)
    found = slipway(root, "drift", "--stack", "local", "--json")
    assert found.code == 4
    (difference,) = json.loads(found.out)["differences"]
    assert (difference["path"], difference["found"]) == ("states.web2", "exited")
    assert "1 updated" in pulumi("up", "--yes", "--skip-preview", "--refresh")
    assert slipway(root, "drift", "--stack", "local").code == 0
    assert _answers(promised)

    pulumi("destroy", "--yes", "--skip-preview")
    for kind in (("ps", "--all", "--format", "{{.Names}}"), ("volume", "ls", "-q"), ("network", "ls")):
        listed = subprocess.run(["docker", *kind], capture_output=True, text=True, check=True).stdout
        assert NAME not in listed
    assert not (root / ".slipway").exists()


def _answers(outputs: Outputs) -> bool:
    curl = ["curl", "-fsS", "-o", "/dev/null", "--cacert", outputs.ca_file, outputs.url]
    return subprocess.run(curl, check=False, timeout=30).returncode == 0
