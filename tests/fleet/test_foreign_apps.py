"""Apps that declare as little as an app may: each check that runs on them passes, the rest say why not."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from slipway.platforms.platform import platform_of
from slipway.progress import Silent
from slipway.secrets import age
from slipway.settings import open_project
from tests.fleet.checks.conftest import EVERY
from tests.fleet.checks.harness import run_checks
from tests.fleet.command import slipway
from tests.fleet.conftest import KEEP, NAME, write_project

# A second fleet, so `script/test proof` runs it; its quick half is tests/unit/checks/test_foreign_site.py.
pytestmark = pytest.mark.skipif(os.environ.get(EVERY) != "all", reason=f"{EVERY}=all runs it")
STANDINS = Path(__file__).with_name("standins")
NO_SERVICES = "  slipway:database: none\n  slipway:redis: false\n  slipway:uploads: false\n"


@dataclass(frozen=True)
class Foreign:
    """A stand-in, and the stack that it is shipped to."""

    name: str
    services: str = ""
    """Further lines of the stack's settings."""
    hosts: Mapping[str, int] = field(default_factory=dict[str, int])
    """`slipway:local` keys."""

    def __str__(self) -> str:
        return self.name


SMALLEST = Foreign("plain", NO_SERVICES, {"web": 1, "worker": 0})
FOREIGN = (SMALLEST, Foreign("gobinary")) if shutil.which("go") else (SMALLEST,)


@pytest.fixture(scope="module", params=FOREIGN, ids=str)
def root(request: pytest.FixtureRequest) -> Generator[Path]:
    """A project with a fleet of its own, to which the stand-in was released."""
    foreign: Foreign = request.param
    root = Path(tempfile.gettempdir()) / f"slipway-{NAME}-{foreign}-{os.getuid()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_AGE_KEY_FILE", str(root / "age.key"))
        if not (root / "Pulumi.yaml").exists():
            write_project(root, f"{NAME}-{foreign}", **foreign.hosts)
            settings = root / "Pulumi.local.yaml"
            lines = settings.read_text().replace(
                "slipway:app: board\n", f"slipway:app: app\n{foreign.services}"
            )
            settings.write_text(lines)
            (root / "age.key").write_text(f"{age.new_key()}\n")
        adopt(root, foreign.name)
        yield root
        if not os.environ.get(KEEP):
            platform_of(open_project("local", root)).take_down(Silent(), volumes=True)
            shutil.rmtree(root)


def adopt(root: Path, name: str) -> None:
    """Make the stand-in `name` the project's app, as a person who adopts slipway would."""
    shutil.rmtree(root / "app", ignore_errors=True)
    shutil.copytree(STANDINS / name, root / "app")
    (root / ".gitignore").write_text(".slipway/\nage.key\napp/app\n")
    git = ["git", "-C", str(root), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", name]):
        subprocess.run([*git, *command], check=True)
    platform_of(open_project("local", root)).bring_up(Silent())
    released = slipway(root, "release", "--json", "--observe", "0", timeout=600)
    assert released.code == 0, released.out + released.err


def test_no_check_is_red_for_no_fault_of_the_app(root: Path) -> None:
    found = run_checks(root)
    wrong = {each["id"]: each["reason"] for each in found.results if each["verdict"] == "fail"}
    assert wrong == {}, found.said
    assert found.ids("could not be tried") == set(), found.said
    assert found.code == 0, found.said
    assert len(found.ids("pass")) >= 40, found.said
    silent = [
        each["id"] for each in found.results if each["verdict"] == "not evaluated" and not each["reason"]
    ]
    assert silent == []
