"""Projects that a person who adopts slipway would have: a stand-in for an app, and a fleet of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from slipway.platforms.platform import platform_of
from slipway.progress import Silent
from slipway.secrets import age
from slipway.settings import open_project
from tests.fleet.checks.harness import run_checks
from tests.fleet.command import slipway
from tests.fleet.conftest import KEEP, NAME, write_project

STANDINS = Path(__file__).with_name("standins")
SERVICES = ("database", "redis", "uploads")


@dataclass(frozen=True)
class Foreign:
    """A stand-in, and the stack that it is shipped to."""

    name: str
    services: tuple[str, ...] = ()
    """Which of SERVICES the stack has."""
    hosts: Mapping[str, int] = field(default_factory=lambda: {"web": 1, "worker": 0})
    """`slipway:local` keys."""
    prepare: Callable[[Path], None] | None = None
    """What is done in the app's folder before it is committed."""

    def __str__(self) -> str:
        return self.name


@contextmanager
def adopted(foreign: Foreign) -> Generator[Path]:
    """A project whose app is the stand-in, with its fleet up and its secrets made; nothing is released."""
    root = Path(tempfile.gettempdir()) / f"slipway-{NAME}-{foreign}-{os.getuid()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_AGE_KEY_FILE", str(root / "age.key"))
        if not (root / "Pulumi.yaml").exists():
            write_project(root, f"{NAME}-{foreign}", **foreign.hosts)
            settings = root / "Pulumi.local.yaml"
            lines = ["  slipway:app: app", f"  slipway:database: {_database(foreign)}"]
            lines += [f"  slipway:{each}: {str(each in foreign.services).lower()}" for each in SERVICES[1:]]
            settings.write_text(settings.read_text().replace("  slipway:app: board", "\n".join(lines)))
            (root / "age.key").write_text(f"{age.new_key()}\n")
        shutil.rmtree(root / "app", ignore_errors=True)
        shutil.copytree(STANDINS / foreign.name, root / "app", ignore=shutil.ignore_patterns("node_modules"))
        if foreign.prepare:
            foreign.prepare(root / "app")
        (root / ".gitignore").write_text(".slipway/\nage.key\n")
        git = ["git", "-C", str(root), "-c", "user.name=test", "-c", "user.email=test@example.com"]
        commit = ["commit", "-q", "--allow-empty", "-m", foreign.name]
        for command in (["init", "-q"], ["add", "-A"], commit):
            subprocess.run([*git, *command], check=True)
        platform_of(open_project("local", root)).bring_up(Silent())
        assert slipway(root, "secrets", "generate").code == 0
        yield root
        if not os.environ.get(KEEP):
            platform_of(open_project("local", root)).take_down(Silent(), volumes=True)
            shutil.rmtree(root)


def assert_no_red(root: Path) -> None:
    """Each check that runs on the app passes, and each other one says why it does not."""
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


def _database(foreign: Foreign) -> str:
    return "postgres" if "database" in foreign.services else "none"
