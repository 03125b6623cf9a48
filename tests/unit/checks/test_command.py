"""`slipway check` and `slipway.checking`, before any stack is up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from slipway import checking
from slipway.checking import Checked, find_checks, run
from slipway.settings import Project, open_project
from tests.unit.checks.conftest import CONFTEST, HEAD

TOML = 'name = "tiny"\n[runtime]\nname = "none"\n[processes.web]\ncommand = "./serve"\n'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (tmp_path / "Pulumi.local.yaml").write_text("config:\n  slipway:platform: local\n")
    (tmp_path / "slipway.toml").write_text(TOML)
    return open_project("local", tmp_path)


def slipway(root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "slipway", *args]
    return subprocess.run(argv, cwd=root, capture_output=True, text=True, timeout=90, check=False)


def own_checks(project: Project, conftest: str) -> None:
    (project.root / "checks").mkdir()
    (project.root / "checks" / "conftest.py").write_text(conftest)


def test_a_stack_that_is_not_up_is_bad_input(project: Project) -> None:
    done = slipway(project.root, "check")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_severity_that_is_not_there_is_bad_input(project: Project) -> None:
    done = slipway(project.root, "check", "--severity", "awful")
    assert done.returncode == 2
    assert "critical, high, medium, low" in done.stderr


def test_the_projects_own_checks_run_before_those_of_the_kit(project: Project) -> None:
    own = project.root / "checks"
    assert find_checks(project) == [checking.KIT_CHECKS]
    own_checks(project, "")
    assert find_checks(project) == [own, checking.KIT_CHECKS]


def test_a_copy_of_the_kit_in_the_project_runs_instead_of_it(project: Project) -> None:
    own_checks(project, "")
    (project.root / "checks" / "kit").mkdir()
    assert find_checks(project) == [project.root / "checks"]


def test_a_project_s_own_tests_are_as_they_were_with_checks_beside_them(project: Project) -> None:
    """pytest finds such a conftest.py while it collects: it must not choose among other tests."""
    own_checks(project, "from checks.conftest import *\n")
    (project.root / "test_mine.py").write_text("def test_mine(): pass\n")
    argv = [sys.executable, "-m", "pytest", "-q"]
    done = subprocess.run(argv, cwd=project.root, capture_output=True, text=True, timeout=90, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_pytest_on_the_project_s_checks_runs_those_of_the_kit_too(project: Project) -> None:
    own_checks(project, CONFTEST)
    (project.root / "checks" / "test_own.py").write_text(
        f'{HEAD}\n@check("X1", **RULE)\ndef test_own(): pass\n'
    )
    for folders in (["checks/"], [str(each) for each in find_checks(project)]):
        argv = [sys.executable, "-m", "pytest", "-q", *folders, "--collect-only", "--stack", "local"]
        done = subprocess.run(argv, cwd=project.root, capture_output=True, text=True, timeout=90, check=False)
        assert "test_own.py" in done.stdout, done.stdout + done.stderr
        assert "test_tls.py" in done.stdout, done.stdout + done.stderr


def test_results_of_an_earlier_run_are_not_taken_for_this_ones(project: Project) -> None:
    folder = project.state_dir / "checks"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text('{"results": []}')
    checked = run(project, output=subprocess.DEVNULL)
    assert checked.code == 2
    assert checked.document == {}


def test_what_failed_comes_with_its_remedy(tmp_path: Path) -> None:
    results = [
        {"id": "X1/a", "host": "", "verdict": "pass", "reason": "", "remedy": "r"},
        {"id": "X1/b", "host": "web1", "verdict": "fail", "reason": "broken", "remedy": "fix it"},
    ]
    (tmp_path / "results.json").write_text(json.dumps({"results": results}))
    [failed] = Checked(tmp_path, 1).failed
    assert (failed.id, failed.host, failed.reason, failed.remedy) == ("X1/b", "web1", "broken", "fix it")


def test_sources_are_compiled_once_also_where_the_environment_forbids_it_beside_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_checks(project, CONFTEST)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    run(project, output=subprocess.DEVNULL)
    kept = {file.name.partition(".")[0] for file in (project.state_dir / "bytecode").rglob("*.pyc")}
    assert {"conftest", "plugin", "stack"} <= kept
    assert not list((project.root / "checks").rglob("*.pyc"))
