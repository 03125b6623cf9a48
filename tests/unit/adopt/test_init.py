"""`slipway init` and what doctor says after it: as a person and as a program run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.adopt.missing import missing
from slipway.settings import open_project
from tests.unit.adopt.repositories import REPOSITORIES, make

WORKFLOWS = Path(__file__).parents[3] / ".github" / "workflows"
CALLED = ("preview-build.yml", "preview.yml")


def init(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "slipway", "init", *arguments]
    return subprocess.run(
        argv, cwd=root, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def test_it_says_what_it_found_and_where_what_it_wrote_and_what_is_left(tmp_path: Path):
    done = init(make(tmp_path, REPOSITORIES["unknown"]))
    assert done.returncode == 0, done.stderr
    for text in ("no file that is known", "slipway.toml", "written", "to do:", "slipway doctor"):
        assert text in done.stdout


def test_as_json_it_is_one_document(tmp_path: Path):
    done = init(make(tmp_path, REPOSITORIES["go"]), "--json", "--platform", "aws")
    document = json.loads(done.stdout)
    assert (document["recipe"], document["platform"], document["name"]) == ("go", "aws", "links")
    assert {"what": "Go", "why": "go.mod"} in document["found"]
    assert {"file": ".github/workflows/release.yml", "action": "written"} in document["files"]


def test_nothing_that_is_there_is_overwritten(tmp_path: Path):
    make(tmp_path, REPOSITORIES["go"])
    assert init(tmp_path, "--platform", "servers").returncode == 0
    made = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    for path in made:
        path.write_text(f"{path.read_text()}# mine\n")
    texts = {path: path.read_text() for path in made}
    done = init(tmp_path, "--platform", "servers", "--json")
    assert {each["action"] for each in json.loads(done.stdout)["files"]} == {"kept"}
    assert {path: path.read_text() for path in made} == texts


def test_a_gitignore_gets_the_lines_that_it_lacks_at_its_end(tmp_path: Path):
    make(tmp_path, REPOSITORIES["go"] | {".gitignore": "bin/\n.env"})
    init(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "bin/\n.env\n.slipway/\n.env.*\n!.env.example\n"


def test_a_folder_named_infra_or_checks_of_another_kind_is_left_alone(tmp_path: Path):
    make(tmp_path, REPOSITORIES["go"] | {"infra/main.tf": "", "checks/lint.sh": ""})
    init(tmp_path)
    assert "main: slipway-infra/" in (tmp_path / "Pulumi.yaml").read_text()
    assert (tmp_path / "slipway-infra" / "__main__.py").is_file()
    assert [path.name for path in (tmp_path / "checks").iterdir()] == ["lint.sh"]


def test_prod_on_servers_begins_with_one_that_has_every_role_that_the_app_needs(tmp_path: Path):
    init(make(tmp_path / "with", REPOSITORIES["go"]), "--platform", "servers")
    init(make(tmp_path / "without", REPOSITORIES["bun"]), "--platform", "servers")
    written = (
        yaml.safe_load((tmp_path / each / "Pulumi.prod.yaml").read_text()) for each in ("with", "without")
    )
    roles = [[server["role"] for server in each["config"]["slipway:servers"]] for each in written]
    assert roles == [[["edge", "web", "worker", "data"]], [["edge", "web", "data"]]]


def test_the_workflows_give_a_fresh_runner_what_a_release_refuses_to_go_without(tmp_path: Path):
    """Keys to sign, to open the store and to reach servers; and the sandbox that builds run in."""
    init(make(tmp_path, REPOSITORIES["go"]), "--platform", "servers")
    for name in ("release", "rollback"):
        workflow = yaml.safe_load((tmp_path / ".github" / "workflows" / f"{name}.yml").read_text())
        (job,) = workflow["jobs"].values()
        for key in ("SLIPWAY_SIGNING_KEY", "SLIPWAY_AGE_KEY", "SLIPWAY_SSH_KEY"):
            assert job["steps"][-1]["env"][key] == f"${{{{ secrets.{key} }}}}"
    installed = (tmp_path / ".github" / "workflows" / "release.yml").read_text()
    assert "apt-get install -y -qq --no-install-recommends bubblewrap" in installed
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in installed


def workflow(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text())


def test_previews_get_a_stack_and_the_workflows_that_open_them(tmp_path: Path):
    make(tmp_path, REPOSITORIES["go"])
    assert init(tmp_path).returncode == 0
    assert not (tmp_path / ".github").exists()
    assert init(tmp_path, "--previews").returncode == 0
    stack = yaml.safe_load((tmp_path / "Pulumi.previews.yaml").read_text())["config"]
    assert (stack["slipway:previews"], stack["slipway:platform"]) == (True, "servers")
    assert {path.name for path in (tmp_path / ".github/workflows").iterdir()} == {*CALLED}
    found = [each.what for each in missing(open_project("local", tmp_path))]
    assert sum("does not say where slipway's workflow is" in what for what in found) == len(CALLED)


def test_a_stack_that_asks_for_previews_has_its_name_in_the_workflows(tmp_path: Path):
    make(tmp_path, REPOSITORIES["go"])
    init(tmp_path, "--previews")
    (tmp_path / "Pulumi.previews.yaml").rename(tmp_path / "Pulumi.try.yaml")
    shutil.rmtree(tmp_path / ".github")
    assert init(tmp_path).returncode == 0
    assert not (tmp_path / "Pulumi.previews.yaml").exists()
    for name in CALLED:
        for job in workflow(tmp_path / ".github/workflows" / name)["jobs"].values():
            assert job["with"] == {"stack": "try"}


@pytest.mark.parametrize("name", CALLED)
def test_what_calls_a_workflow_of_slipway_grants_what_its_jobs_ask_for(name: str, tmp_path: Path):
    """GitHub refuses a call that grants less, and gives a called job no event of its own."""
    init(make(tmp_path, REPOSITORIES["go"]), "--previews")
    file = tmp_path / ".github/workflows" / name
    calls, called = workflow(file), workflow(WORKFLOWS / name)
    assert len([line for line in file.read_text().splitlines() if line[0] != "#"]) <= 12
    (job,) = calls["jobs"].values()
    assert job["uses"].partition("@")[0].endswith(f"/.github/workflows/{name}")
    assert calls["name"] == called["name"]
    asked = sorted(right for each in called["jobs"].values() for right in each["permissions"].items())
    assert job["permissions"] == dict(asked)  # "write", which sorts last, has "read" in it
    assert set(job["with"]) <= set(called[True]["workflow_call"]["inputs"])  # YAML reads `on` as true
    own = {event: what for event, what in called[True].items() if event != "workflow_call"}
    assert calls[True] == own
    assert ("secrets" in job) == ("secrets." in str(called["jobs"]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("nowhere",), "no folder nowhere"), (("--platform", "gcp"), "gcp"), (("--from", "heroku"), "heroku")],
)
def test_bad_input_is_named_with_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], said: str):
    done = init(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_doctor_lists_each_thing_to_do_with_its_line_until_it_is_removed(tmp_path: Path):
    make(tmp_path, REPOSITORIES["unknown"])
    init(tmp_path)
    found = [each.what for each in missing(open_project("local", tmp_path))]
    assert any(what.startswith("slipway.toml:3 build.command and processes.web.command") for what in found)
    toml = tmp_path / "slipway.toml"
    toml.write_text("".join(line for line in toml.open() if "TO DO" not in line))
    left = [each.what for each in missing(open_project("local", tmp_path))]
    assert not any("slipway.toml" in what for what in left)


def test_doctor_names_what_the_build_calls_and_this_machine_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make(tmp_path, REPOSITORIES["hono-node"])
    init(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {each.what: each for each in missing(open_project("local", tmp_path))}
    lacking = found["pnpm is not on PATH, and the build calls it"]
    assert (lacking.refuses, lacking.remedy) == (True, "npm install --global pnpm")


def test_a_tool_that_the_runtime_brings_need_not_be_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path, REPOSITORIES["rack"])
    init(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not [each.what for each in missing(open_project("local", tmp_path)) if "bundle" in each.what]
    toml = tmp_path / "slipway.toml"
    toml.write_text(toml.read_text().replace('"ruby-bundler", ', ""))
    assert [each.what for each in missing(open_project("local", tmp_path)) if "bundle" in each.what]


def test_a_repository_that_is_committed_and_complete_lacks_nothing(tmp_path: Path):
    make(tmp_path, REPOSITORIES["bun"])
    init(tmp_path)
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    for argv in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *argv], check=True, env=env)
    assert list(missing(open_project("local", tmp_path))) == []
