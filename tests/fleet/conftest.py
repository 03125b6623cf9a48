"""One local fleet for the whole run: a project of its own, with its own name, ports, secrets and data."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from slipway.platforms.local.docker import find_docker
from slipway.platforms.platform import platform_of
from slipway.progress import Silent
from slipway.secrets import age
from slipway.settings import Project, open_project
from tests.debian import IMAGE
from tests.fleet.command import slipway
from tests.fleet.site import Site
from tests.ports import local_fleet_ports

BOARD = Path(__file__).parents[2] / "examples" / "board"
NAME = os.environ.get("SLIPWAY_TEST_FLEET", "sliptest")
"""Two checkouts on one machine need two names."""
KEEP = "SLIPWAY_KEEP_FLEET"


@pytest.fixture(scope="session")
def fleet() -> Generator[Project]:
    """The project `sliptest`, a copy of the board, with stack `local` up and nothing released by itself.

    SLIPWAY_KEEP_FLEET=1 leaves it up at the end, and the next run starts from it.
    """
    if find_docker() is None and os.geteuid() != 0:
        pytest.skip("no Docker, and not root to install it")
    root = Path(tempfile.gettempdir()) / f"slipway-{NAME}-{os.getuid()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_AGE_KEY_FILE", str(root / "age.key"))
        if not (os.environ.get(KEEP) and (root / "Pulumi.yaml").exists()):
            _wipe(root)
            write_project(root, NAME)
        if not (root / "age.key").exists():
            (root / "age.key").write_text(f"{age.new_key()}\n")
        refresh_app(root)
        project = open_project("local", root)
        platform_of(project).bring_up(Silent())
        yield project
        if not os.environ.get(KEEP):
            _wipe(root)


@pytest.fixture(scope="session")
def live_site(fleet: Project) -> Site:
    """The board, released to the fleet."""
    made = Site(fleet.root)
    assert slipway(fleet.root, "secrets", "generate").code == 0
    slipway(fleet.root, "resume")
    released = slipway(fleet.root, "release", "--json", "--observe", "0", timeout=600)
    assert released.code == 0, released.out + released.err
    return made


@pytest.fixture
def site(live_site: Site) -> Site:
    """The live site, whole: what a test before this one left broken, or held, must not fail the next."""
    live_site.wait_until_healthy()
    slipway(live_site.root, "resume")
    return live_site


def write_project(root: Path, name: str, **local: int | str) -> Path:
    """A project folder with stack `local` on free ports; `local` sets `slipway:local` keys."""
    root.mkdir(parents=True, exist_ok=True)
    settings = {"image": IMAGE, **local_fleet_ports(), **local}
    (root / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\nmain: infra/\n")
    (root / "Pulumi.local.yaml").write_text(
        "config:\n  slipway:platform: local\n  slipway:app: board\n  slipway:local:\n"
        + "".join(f"    {key}: {value}\n" for key, value in settings.items())
    )
    return root


def refresh_app(root: Path) -> None:
    """Copy the board into the project, under version control as an app is."""
    app = root / "board"
    shutil.rmtree(app, ignore_errors=True)
    shutil.copytree(BOARD, app, ignore=shutil.ignore_patterns("node_modules", ".slipway", "dist"))
    (root / ".gitignore").write_text("node_modules/\n.slipway/\nage.key\n")
    git = ["git", "-C", str(root), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "the board"]):
        subprocess.run([*git, *command], check=True)


def _wipe(root: Path) -> None:
    """Take down what an earlier run left, and forget it.

    Its volumes may be all that is left: a machine that starts again empties /tmp.
    """
    if not (root / "Pulumi.local.yaml").exists():
        write_project(root, NAME)
    if not (root / "board" / "slipway.toml").exists():
        refresh_app(root)
    platform_of(open_project("local", root)).take_down(Silent(), volumes=True)
    shutil.rmtree(root, ignore_errors=True)
