"""Links and files of a build hold on another machine, or are refused by name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.build.layer import Entry, collect
from slipway.build.source import matcher
from slipway.settings import BadInput
from tests.unit.build.conftest import write


def by_name(entries: list[Entry]) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries}


def test_a_link_to_the_runtime_becomes_one_to_the_builds_own(tmp_path: Path) -> None:
    write(tmp_path / "home", {".runtime/bin/python3": "x"})
    write(tmp_path / "work", {".venv/lib/a.py": "1"})
    (tmp_path / "work/.venv/bin").mkdir()
    (tmp_path / "work/.venv/bin/python").symlink_to(tmp_path / "home/.runtime/bin/python3")
    entries = by_name(collect(tmp_path / "work", lambda _: True, runtime=tmp_path / "home"))
    assert entries[".venv/bin/python"].target == "../../.runtime/bin/python3"


def test_an_absolute_link_within_the_build_becomes_relative(tmp_path: Path) -> None:
    write(tmp_path, {"packages/shared/i.js": "1", "node_modules/.keep": ""})
    (tmp_path / "node_modules/shared").symlink_to(tmp_path / "packages/shared")
    assert by_name(collect(tmp_path, lambda _: True))["node_modules/shared"].target == "../packages/shared"


@pytest.mark.parametrize("target", ["/usr/bin/python3", "../../elsewhere"])
def test_a_link_out_of_the_build_is_refused_by_name(tmp_path: Path, target: str) -> None:
    write(tmp_path, {"bin/keep": ""})
    (tmp_path / "bin/python").symlink_to(target)
    with pytest.raises(BadInput, match=r"bin/python is a link to"):
        collect(tmp_path, lambda _: True)


def test_a_script_beside_its_interpreter_finds_it_wherever_it_lies(tmp_path: Path) -> None:
    made = tmp_path / "made"
    write(made, {".venv/bin/serve": f"#!{made}/.venv/bin/python\nimport sys; print('served', sys.argv[1])\n"})
    (made / ".venv/bin/serve").chmod(0o755)
    (made / ".venv/bin/python").symlink_to(sys.executable)
    entries = collect(made, lambda name: name.endswith("serve"))
    moved = tmp_path / "moved to"
    write(moved, {"serve": (by_name(entries)[".venv/bin/serve"].content or b"").decode()})
    (moved / "serve").chmod(0o755)
    (moved / "python").symlink_to(sys.executable)
    assert subprocess.check_output([moved / "serve", "x"], text=True) == "served x\n"


def test_a_script_that_needs_the_folder_it_was_made_in_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"bin/serve": f"#!{tmp_path}/tools/perl -w\n"})
    (tmp_path / "bin/serve").chmod(0o755)
    with pytest.raises(BadInput, match=r"bin/serve runs only where it was built"):
        collect(tmp_path, lambda _: True)


def test_a_python_environment_forgets_where_it_was_made(tmp_path: Path) -> None:
    write(tmp_path, {".venv/pyvenv.cfg": f"home = {tmp_path}\nversion_info = 3.13.0\nrelocatable = true\n"})
    entry = by_name(collect(tmp_path, lambda _: True))[".venv/pyvenv.cfg"]
    assert entry.content == b"version_info = 3.13.0\nrelocatable = true\n"
    assert entry.size == len(entry.content)


def test_excluded_folders_are_not_even_looked_into(tmp_path: Path) -> None:
    write(tmp_path, {"src/a.ts": "1", "node_modules/x": "1", "dist/a.js": "1", "dist/a.js.map": "1"})
    os.mkfifo(tmp_path / "node_modules/pipe")
    left_out = matcher(["node_modules", "**/*.map"])
    entries = collect(tmp_path, matcher(["dist/**", "src"]), skip=left_out)
    assert [entry.name for entry in entries] == ["dist", "dist/a.js", "src", "src/a.ts"]
