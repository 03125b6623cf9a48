"""Repositories of people who adopt slipway: a stand-in for an app, what `init` makes of it, and its fleet."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.platforms.platform import platform_of
from slipway.progress import Silent
from slipway.secrets import age
from slipway.settings import open_project
from tests.fleet.checks.harness import run_checks
from tests.fleet.command import slipway
from tests.fleet.conftest import KEEP, NAME
from tests.fleet.sabotage import edit as replace
from tests.fleet.site import Site
from tests.ports import local_fleet_ports

_log = logging.getLogger(__name__)
STANDINS = Path(__file__).with_name("standins")
GENERATE = "slipway secrets generate"


@dataclass(frozen=True)
class Visible:
    """A word that users see."""

    file: str
    code: str
    """Where the word is in the file."""
    word: str
    path: str = "/"
    """What answers with it."""


@dataclass(frozen=True)
class Edit:
    """Something that a person does because doctor named it."""

    asked: str
    """What doctor said, in part."""
    done: Callable[[Adopted], None]


@dataclass(frozen=True)
class Foreign:
    """A stand-in, and the fleet that it is shipped to."""

    name: str
    recipe: str
    """The row of recipes.toml that `init` takes for it."""
    visible: Visible
    edits: tuple[Edit, ...] = ()
    services: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Settings of the stack that `init` did not write: services that the app does not use."""
    hosts: Mapping[str, int] = field(default_factory=lambda: {"web": 1})
    """`slipway:local` keys."""
    prepare: Callable[[Path], None] | None = None
    """What is done in the repository before it is committed."""
    beside: Callable[[Adopted], AbstractContextManager[None]] = lambda _: nullcontext()
    """What runs on this machine as long as the fleet does."""
    tools: tuple[str, ...] = ()
    """What the app is built with, beside its runtime."""
    migration: Callable[[Path, int], None] | None = None
    """Writes the migration of that number into the repository; it adds the column `extraN`."""
    columns: Callable[[Adopted], set[str]] = lambda _: set[str]()
    """The columns that the database has."""

    def __str__(self) -> str:
        return self.name


class Adopted(Site):
    """The repository with its fleet up, and what doctor said before anything was edited."""

    def __init__(self, root: Path, foreign: Foreign) -> None:
        super().__init__(root)
        self.foreign = foreign
        self.asked: list[str] = []
        self.made: list[str] = []
        """What doctor named and a person did."""
        self.libsql: tuple[str, str] = ("", "")
        """URL and token of the app's database, if it is libSQL."""

    def doctor(self) -> list[dict[str, str]]:
        """What is left to do: what stops a release, and what `init` left in slipway.toml."""
        found: list[dict[str, str]] = slipway(self.root, "doctor", "--json").json
        return [each for each in found if each["level"] == "fail" or each["what"].startswith("slipway.toml:")]

    def do_what_doctor_asks(self) -> None:
        """Each edit must have been named, and nothing may be left."""
        self.asked = [f"{each['what']} {each['remedy']}" for each in self.doctor()]
        if any(GENERATE in each for each in self.asked):
            assert slipway(self.root, "secrets", "generate").code == 0
        for edit in self.foreign.edits:
            assert any(edit.asked in each for each in self.asked), (edit.asked, self.asked)
            edit.done(self)
            self.made.append(edit.asked)
        changed = set(self.git("diff", "--name-only").splitlines())
        assert changed <= {"slipway.toml", "Pulumi.local.yaml"}, changed
        self.commit("What doctor named")
        assert self.doctor() == []

    def settle(self, key: str, old: str = "", new: str = "", more: str = "") -> None:
        """Do in slipway.toml what `init` left there for `key`: replace, append, and remove its line."""
        toml = self.root / "slipway.toml"
        kept = [line for line in toml.read_text().splitlines() if not line.startswith(f"# TO DO: {key}:")]
        toml.write_text("\n".join([*kept, *([f"\n{more}"] if more else []), ""]))
        if old:
            replace(toml, old, new)

    @property
    def completion(self) -> Path:
        """The slipway.toml of an owner who completes it; not every owner does."""
        return STANDINS / self.foreign.name / "slipway.toml"

    def completed(self) -> None:
        """The owner completes slipway.toml by what only they know: sign-in, echoes, more processes."""
        if self.completion.exists():
            shutil.copy(self.completion, self.root)
            self.up()

    def say(self, number: int) -> None:
        """Users see another word from the next release on."""
        seen = self.foreign.visible
        text = (STANDINS / self.foreign.name / seen.file).read_text()
        assert seen.code in text
        new = seen.code.replace(seen.word, f"{seen.word}-{number}")
        (self.root / seen.file).write_text(text.replace(seen.code, new))

    def said(self) -> int:
        """The number that users see; 0: the first release."""
        seen = self.foreign.visible
        answer = self.get(seen.path).raise_for_status().text
        assert seen.word in answer, answer
        number = answer.partition(f"{seen.word}-")[2][:1]
        return int(number or "0")

    def live(self) -> int:
        return slipway(self.root, "status", "--json").json["live"]

    def cron_runs(self) -> dict[str, dict[str, Any]]:
        """The last run of each entry of cron that has ended, by the entry's name."""
        hosts = slipway(self.root, "status", "--json").json["hosts"]
        return {name: run for host in hosts for name, run in host["cron"].items() if run and run["ended"]}

    def up(self) -> None:
        done = slipway(self.root, "up", timeout=900)
        assert done.code == 0, done.out + done.err

    def ship(self, *options: str) -> dict[str, Any]:
        self.commit("A change")
        done = slipway(self.root, "release", "--json", "--observe", "0", *options, timeout=900)
        assert done.code == 0, done.out + done.err
        _log.info("%s: release %d after %.1f s", self.foreign, done.json["release"], done.json["seconds"])
        return done.json

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def git(self, *args: str) -> str:
        author = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        argv = ["git", "-C", str(self.root), *author, *args]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@contextmanager
def adopted(foreign: Foreign) -> Generator[Adopted]:
    """The stand-in after `slipway init`, `slipway up`, and the edits that doctor then named, unreleased."""
    root = Path(tempfile.gettempdir()) / f"slipway-{NAME}-{foreign}-{os.getuid()}"
    key = root.with_suffix(".key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_AGE_KEY_FILE", str(key))
        if not key.exists():
            key.write_text(f"{age.new_key()}\n")
        site = Adopted(root, foreign)
        ports = _ports(root)
        _copy(foreign, root)
        site.git("init", "-q")
        # What an earlier run left there is no part of the repository, whose .gitignore is still to come.
        (root / ".git" / "info" / "exclude").write_text(".slipway/\n")
        site.commit("As its authors left it")
        done = slipway(root, "init")
        assert done.code == 0, done.err
        _place(site, ports)
        site.commit("slipway init")
        site.up()
        with foreign.beside(site):
            site.do_what_doctor_asks()
            yield site
        if not os.environ.get(KEEP):
            platform_of(open_project("local", root)).take_down(Silent(), volumes=True)
            shutil.rmtree(root)
            key.unlink()


def _copy(foreign: Foreign, root: Path) -> None:
    """The stand-in's files, without its slipway.toml, in place of what an earlier run left there."""
    root.mkdir(exist_ok=True)
    for each in root.iterdir():
        if each.name != ".slipway":
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    ignored = shutil.ignore_patterns("node_modules", "slipway.toml")
    shutil.copytree(STANDINS / foreign.name, root, ignore=ignored, dirs_exist_ok=True)
    if foreign.prepare:
        foreign.prepare(root)


def _ports(root: Path) -> dict[str, int]:
    """Those of the fleet that an earlier run kept, else free ones."""
    settings = root / "Pulumi.local.yaml"
    if settings.exists():
        local = yaml.safe_load(settings.read_text())["config"]["slipway:local"]
        return {key: value for key, value in local.items() if key.endswith("_port")}
    return local_fleet_ports()


def _place(site: Adopted, ports: Mapping[str, int]) -> None:
    """What this machine wants: a name that no other fleet has, free ports, as many hosts as are tested."""
    foreign = site.foreign
    file = site.root / "Pulumi.yaml"
    settings = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**settings, "name": f"{NAME}-{foreign}"}))
    file = site.root / "Pulumi.local.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["config"] |= {f"slipway:{key}": value for key, value in foreign.services.items()}
    settings["config"]["slipway:local"] |= {**foreign.hosts, **ports}
    file.write_text(yaml.safe_dump(settings))


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
