"""What commands of a build can reach: source, package registries and caches; no secret of the operator."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.build import sandbox
from slipway.build.build import build, run_checks
from slipway.progress import Silent
from slipway.settings import BadInput, Project
from tests.unit.build.conftest import MakeProject, unpack


class Said(Silent):
    """Keeps the lines of progress."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


KEYS = ("SLIPWAY_AGE_KEY", "AWS_SECRET_ACCESS_KEY", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
THIEF = (
    "cat /proc/*/environ /proc/$PPID/environ 2>/dev/null | tr '\\0' '\\n'; echo looked; "
    "cat {home}/.ssh/id_ed25519"
)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a key in it."""
    home = tmp_path_factory.mktemp("home")
    (home / ".ssh").mkdir()
    (home / ".ssh/id_ed25519").write_text("canary of the home folder")
    monkeypatch.setenv("HOME", str(home))
    return home


def loot(project: Project, tmp_path: Path) -> str:
    made = build(project)
    folders = [unpack(path, tmp_path / path.name) for path in made.layers.values()]
    return "".join((folder / "loot").read_text() for folder in folders if (folder / "loot").exists())


def by_build(make: MakeProject, thief: str, tmp_path: Path) -> str:
    return loot(make({"a": "1"}, build={"command": f"{{ {thief}; }} > loot 2>&1; true"}), tmp_path)


def by_deps(make: MakeProject, thief: str, tmp_path: Path) -> str:
    deps = {"command": f"{{ {thief}; }} > loot 2>&1; true", "paths": ["loot"], "inputs": ["a"]}
    return loot(make({"a": "1"}, build={"deps": deps}), tmp_path)


def by_preflight(make: MakeProject, thief: str, tmp_path: Path) -> str:
    del tmp_path
    project = make({"a": "1"}, preflight={"commands": [f"{thief}; false"]})
    return "\n".join(failed.tail for failed in run_checks(project))


@pytest.mark.parametrize("by", [by_build, by_deps, by_preflight])
def test_a_build_command_reads_no_secret_from_slipways_environment_or_from_home(
    by: Callable[[MakeProject, str, Path], str], make_project: MakeProject, home: Path, tmp_path: Path
) -> None:
    """The environment that a process was started with stays in /proc; a shell that execs the tests has it."""
    thief = THIEF.format(home=home)
    holder = subprocess.Popen(["sleep", "600"], env=os.environ | dict.fromkeys(KEYS, "canary"))
    try:
        found = by(make_project, thief, tmp_path)
    finally:
        holder.kill()
        holder.wait()
    assert "looked" in found
    assert "canary" not in found
    assert not [key for key in KEYS if f"{key}=" in found]


def test_the_home_of_a_build_command_is_empty_and_forgotten(
    make_project: MakeProject, home: Path, tmp_path: Path
) -> None:
    command = "ls -A ~ > loot; echo 'registry=http://evil' > ~/.npmrc"
    first = make_project({"a": "1"}, folder="one", build={"command": command})
    again = make_project({"a": "2"}, folder="two", build={"command": command})
    assert loot(first, tmp_path / "first") == ""
    assert loot(again, tmp_path / "again") == ""
    assert not (home / ".npmrc").exists()


def test_a_build_command_changes_nothing_outside_of_its_folder(
    make_project: MakeProject, tmp_path: Path
) -> None:
    there = tmp_path / "precious"
    there.mkdir()
    command = f"for p in {there}/x {tmp_path}/app/x; do touch $p; done; ls /run /root > loot 2>&1; true"
    found = loot(make_project({"a": "1"}, build={"command": command}), tmp_path)
    assert not (there / "x").exists()
    assert not (tmp_path / "app/x").exists()
    assert "docker.sock" not in found


def test_a_tool_on_path_that_is_linked_from_elsewhere_runs(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As npm does under nvm: bin/npm leads to ../lib/…; and as a tool of a user's own ~/.local/bin does."""
    prefix = tmp_path / "prefix"
    for folder in ("bin", "lib", "elsewhere"):
        (prefix / folder).mkdir(parents=True)
    (prefix / "lib/words").write_text("hello")
    tool = prefix / "elsewhere/greet"
    tool.write_text('#!/bin/sh\ncat "$(dirname "$0")/../lib/words"\n')
    tool.chmod(0o755)
    (prefix / "bin/greet").symlink_to("../elsewhere/greet")
    monkeypatch.setenv("PATH", f"{prefix}/bin:{os.environ['PATH']}")
    assert loot(make_project({"a": "1"}, build={"command": "greet > loot"}), tmp_path) == "hello"


def test_rust_finds_the_toolchains_that_rustup_keeps_at_home(
    make_project: MakeProject, home: Path, tmp_path: Path
) -> None:
    (home / ".rustup").mkdir()
    (home / ".rustup/settings.toml").write_text("default_toolchain = 'stable'")
    command = 'cat "$RUSTUP_HOME/settings.toml" > loot; mkdir -p "$CARGO_HOME/registry"'
    made = make_project({"a": "1"}, build={"command": command})
    assert "stable" in loot(made, tmp_path)


def test_what_commands_keep_in_their_cache_is_there_in_the_next_build(
    make_project: MakeProject, tmp_path: Path
) -> None:
    command = 'cat "$XDG_CACHE_HOME/kept" > loot; echo kept >> "$XDG_CACHE_HOME/kept"; true'
    loot(make_project({"a": "1"}, folder="one", build={"command": command}), tmp_path / "first")
    again = make_project({"a": "2"}, folder="two", build={"command": command})
    assert loot(again, tmp_path / "again") == "kept\n"


@pytest.mark.parametrize("missing", ["no bwrap", "no namespaces"])
def test_without_a_sandbox_nothing_is_run_and_the_remedy_is_said(
    missing: str, make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    if missing == "no namespaces":
        (folder / "bwrap").write_text(
            "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n"
        )
        (folder / "bwrap").chmod(0o755)
    for name in ("sh", "touch"):
        (folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    sandbox.refusal.cache_clear()
    project = make_project({"a": "1"}, build={"command": f"touch {tmp_path}/ran"})
    with pytest.raises(BadInput, match="sandbox") as refused:
        build(project)
    assert "--unsandboxed-build" in refused.value.remedy
    assert not (tmp_path / "ran").exists()
    assert ("apt-get install bubblewrap" in refused.value.remedy) == (missing == "no bwrap")
    sandbox.refusal.cache_clear()


@pytest.mark.parametrize("by_setting", [True, False])
def test_a_build_without_sandbox_is_a_choice_that_is_said(
    make_project: MakeProject, tmp_path: Path, *, by_setting: bool
) -> None:
    project = make_project(
        {"a": "1"},
        build={"command": f"touch {tmp_path}/ran"},
        stack={"unsandboxed_build": True} if by_setting else {},
    )
    said = Said()
    build(project, unsandboxed=not by_setting, progress=said)
    assert (tmp_path / "ran").exists()
    assert [line for line in said.lines if "without a sandbox" in line]
