"""Source to build: what is in it, when it is found instead of made, and how it fails."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slipway.build.build import build, run_checks
from slipway.build.command import BuildFailed
from slipway.build.manifest import Manifest
from slipway.settings import BadInput
from tests.unit.build.conftest import MakeProject, commit, unpack, write

LINT = "test ! -f broken || { echo lint: broken; exit 1; }"
MODS = "mkdir mods; touch mods/dev"
MAKE = {"command": "mkdir -p dist && tr a-z A-Z < a.txt > dist/a.txt"}


def test_the_app_layer_is_the_context_after_the_build_command(
    make_project: MakeProject, tmp_path: Path
) -> None:
    project = make_project(
        {".gitignore": "dist\n.env\n", "a.txt": "abc", ".env": "S=1", "b.map": "{}"},
        build={**MAKE, "exclude": ["**/*.map", ".gitignore"]},
    )
    commit(project.context, "Say hello")
    made = build(project)
    assert [layer.kind for layer in made.manifest.layers] == ["app"]
    out = unpack(made.layers[made.manifest.layers[0].digest], tmp_path / "out")
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == ["a.txt", "dist/a.txt"]
    assert (out / "dist/a.txt").read_text() == "ABC"
    assert made.manifest.git.subject == "Say hello"
    assert not made.manifest.git.dirty
    assert not (project.context / "dist").exists()


def test_an_unchanged_source_is_found_and_a_changed_one_made(make_project: MakeProject) -> None:
    project = make_project({"a.txt": "abc"}, build=MAKE)
    first = build(project)
    again = build(project)
    assert (first.origin, again.origin) == ("made", "cache")
    assert again.manifest == first.manifest
    assert again.sbom == first.sbom
    write(project.context, {"a.txt": "abd"})
    changed = build(project)
    assert changed.origin == "made"
    assert changed.manifest.id != first.manifest.id


def test_the_same_source_in_another_folder_is_the_same_build(make_project: MakeProject) -> None:
    files = {"a.txt": "abc"}
    place = {"command": "pwd > place.txt"}
    first = build(make_project(files, folder="one", build=place))
    second = build(make_project(files, folder="some/where/else", build=place))
    assert second.origin == "cache"
    assert second.manifest == first.manifest


def test_it_is_made_again_when_its_layer_has_gone(make_project: MakeProject) -> None:
    project = make_project({"a.txt": "abc"}, build=MAKE)
    first = build(project)
    next(iter(first.layers.values())).unlink()
    again = build(project)
    assert again.origin == "made"
    assert again.manifest == first.manifest


def test_a_build_that_fails_tells_its_last_lines_and_leaves_nothing(
    make_project: MakeProject, cache_home: Path
) -> None:
    project = make_project({"a.txt": "1"}, build={"command": "echo a.ts:3: no such name; false"})
    with pytest.raises(BuildFailed, match=r"build\.command failed \(exit 1\)") as failed:
        build(project)
    assert failed.value.details == ("a.ts:3: no such name",)
    assert [path for path in (cache_home / "work").iterdir() if path.is_dir()] == []


def test_build_commands_see_public_values_and_no_secrets(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://canary")
    monkeypatch.setenv("SLIPWAY_AGE_KEY", "AGE-SECRET-KEY-canary")
    project = make_project(
        {"a.txt": "1"},
        build={"command": "env | sort > env.txt"},
        env={
            "VITE_API": {"value": "https://dev.test", "client": True},
            "JWT_SECRET": {"secret": True},
            "LEVEL": {"value": "x"},
        },
        stack={"env": {"VITE_API": "https://prod.test"}},
    )
    made = build(project, env={"VITE_URL": "https://site.test"})
    text = (unpack(next(iter(made.layers.values())), tmp_path / "out") / "env.txt").read_text()
    assert "canary" not in text
    assert {"VITE_API=https://prod.test", "VITE_URL=https://site.test", "CI=1"} <= set(text.splitlines())
    assert "JWT_SECRET" not in text
    assert "LEVEL" not in text


def test_a_public_value_that_differs_makes_another_build(make_project: MakeProject) -> None:
    project = make_project({"a.txt": "1"})
    first, second = build(project, env={"VITE_A": "1"}), build(project, env={"VITE_A": "2"})
    assert first.manifest.input != second.manifest.input


def test_a_dirty_work_tree_is_refused_where_the_stack_says_so(make_project: MakeProject) -> None:
    project = make_project({"a.txt": "1"}, stack={"allow_dirty": False})
    commit(project.context)
    assert build(project).origin == "made"
    write(project.context, {"b.txt": "1"})
    with pytest.raises(BadInput, match="1 uncommitted") as refused:
        build(project)
    assert refused.value.details == ("b.txt",)


def test_a_process_in_a_folder_that_is_not_shipped_is_refused(make_project: MakeProject) -> None:
    processes = {"web": {"command": "./serve", "directory": "apps/api"}}
    project = make_project({"apps/web/a.txt": "1"}, processes=processes)
    with pytest.raises(BadInput, match=r"processes\.web\.directory: the build has no folder apps/api"):
        build(project)


def test_dependencies_are_installed_once_from_their_inputs_only(
    make_project: MakeProject, tmp_path: Path
) -> None:
    deps = {"inputs": ["lock"], "command": "ls > seen; mkdir mods; cp lock seen mods", "paths": ["mods"]}
    project = make_project(
        {"lock": "v1", "a.txt": "1"}, build={"deps": deps, "command": "mkdir mods; touch mods/dev"}
    )
    first = build(project)
    kinds = {layer.kind: layer for layer in first.manifest.layers}
    out = unpack(first.layers[kinds["deps"].digest], tmp_path / "deps")
    assert (out / "mods/seen").read_text().split() == ["lock", "seen"]
    assert not (unpack(first.layers[kinds["app"].digest], tmp_path / "app") / "mods").exists()
    write(project.context, {"a.txt": "2"})
    second = {layer.kind: layer for layer in build(project).manifest.layers}
    assert second["deps"] == kinds["deps"]
    assert second["app"] != kinds["app"]


@pytest.mark.parametrize(
    ("deps", "error"),
    [
        ({"inputs": ["absent"], "command": "true", "paths": ["mods"]}, r"build\.deps\.inputs: no file"),
        ({"inputs": ["a.txt"], "command": "true", "paths": ["mods"]}, r"made none of mods"),
        ({"inputs": ["a.txt"], "command": "false", "paths": ["mods"]}, r"build\.deps\.command failed"),
    ],
)
def test_dependencies_that_come_to_nothing_are_refused(
    make_project: MakeProject, deps: dict[str, object], error: str
) -> None:
    with pytest.raises((BadInput, BuildFailed), match=error):
        build(make_project({"a.txt": "1"}, build={"deps": deps}))


def test_source_maps_are_noted(make_project: MakeProject) -> None:
    made = build(make_project({"public/app.js.map": "{}"}))
    assert "1 source maps in the app layer (public/app.js.map)" in made.manifest.notes[0]


def test_a_build_carries_what_its_slipway_toml_declares_and_another_text_makes_another_build(
    make_project: MakeProject,
) -> None:
    def smoked(name: str) -> Manifest:
        smoke = {"steps": [{"name": name, "request": "GET /"}]}
        return build(make_project({"a.txt": "a"}, smoke=smoke)).manifest

    first, second = smoked("one"), smoked("two")
    assert first.id != second.id
    assert first.layers == second.layers
    assert first.declared is not None
    assert first.declared.smoke.steps[0].name == "one"


def test_migrations_that_the_pattern_misses_are_noted(make_project: MakeProject) -> None:
    files = {"migrations/1.up.sql": "", "migrations/2.ts": ""}
    made = build(make_project(files, migrate={"command": "migrate"})).manifest
    assert any("migrations/2.ts" in note for note in made.notes)
    assert made.migrate is not None
    assert made.migrate.folder


def test_the_sbom_holds_for_the_manifest(make_project: MakeProject) -> None:
    made = build(make_project({"a.txt": "1"}))
    assert json.loads(made.sbom)["metadata"]["component"]["name"] == "tiny"


def test_checks_stop_at_the_first_that_fails_and_are_not_repeated_once_passed(
    make_project: MakeProject, cache_home: Path
) -> None:
    count = cache_home / "commands/tiny/count"  # the only folder that outlives a command in the sandbox
    commands = [
        'echo run >> "$XDG_CACHE_HOME/count"',
        LINT,
        'echo end >> "$XDG_CACHE_HOME/count"',
    ]
    project = make_project({"a.txt": "1", "broken": "1"}, preflight={"commands": commands})
    failed = list(run_checks(project))
    assert [(check.command, check.tail) for check in failed] == [(commands[1], "lint: broken")]
    (project.context / "broken").unlink()
    assert list(run_checks(project)) == list(run_checks(project)) == []
    assert count.read_text().split() == ["run", "run", "end"]


def test_ctrl_c_ends_the_build_and_removes_its_folder(
    make_project: MakeProject, cache_home: Path, tmp_path: Path
) -> None:
    project = make_project({"a.txt": "1"}, build={"command": 'touch "$XDG_CACHE_HOME/begun"; sleep 60'})
    program = tmp_path / "program.py"
    program.write_text(
        "import pickle, sys\n"
        "from slipway.build.build import build\n"
        "build(pickle.loads(sys.stdin.buffer.read()))\n"
    )
    process = subprocess.Popen([sys.executable, program], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.write(pickle.dumps(project))
    process.stdin.close()
    deadline = time.monotonic() + 20
    while not (cache_home / "commands/tiny/begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [path for path in (cache_home / "work").iterdir() if path.is_dir()] != []
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert [path for path in (cache_home / "work").iterdir() if path.is_dir()] == []
