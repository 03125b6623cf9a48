"""The wheel is the whole tool: in an empty folder, without the rest of this repository, its commands work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
GO = {
    "go.mod": "module example.com/hello\n\ngo 1.22\n",
    "main.go": 'package main\n\nvar port, path = os.Getenv("PORT"), "/healthz"\n',
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that script/package makes, unpacked beside the packages that it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    run(REPOSITORY, "script/package", str(folder))
    (wheel,) = folder.glob("slipway-*.whl")
    target = folder / "site"
    run(folder, "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel))
    return target


def run(cwd: Path, *argv: str, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **({"PYTHONPATH": str(site)} if site else {})}
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=True, timeout=300)


def slipway(cwd: Path, site: Path, *arguments: str) -> str:
    try:
        return run(cwd, sys.executable, "-P", "-m", "slipway", *arguments, site=site).stdout
    except subprocess.CalledProcessError as failure:
        raise AssertionError(failure.stdout + failure.stderr) from failure


@pytest.fixture(scope="module")
def project(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that knows nothing of slipway, after `slipway init`."""
    folder = tmp_path_factory.mktemp("hello")
    for name, text in GO.items():
        (folder / name).write_text(text)
    slipway(folder, installed, "init", "--platform", "aws")
    return folder


def test_everything_comes_from_the_wheel(installed: Path):
    code = "import slipway, hosts, infra, checks, loadtests; print(slipway.__file__, checks.__file__)"
    places = run(installed, sys.executable, "-P", "-c", code, site=installed).stdout.split()
    assert all(place.startswith(str(installed)) for place in places)
    assert (installed / "templates" / "haproxy" / "web.cfg.j2").is_file()


def test_help_and_doctor_work(installed: Path, project: Path):
    assert "init" in slipway(project, installed, "--help")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "slipway", "doctor", "--json"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = {each["what"] for each in json.loads(done.stdout)}
    assert "Pulumi.local.yaml and slipway.toml are valid" in found


def test_the_pulumi_program_of_three_lines_keeps_every_rule(installed: Path, project: Path):
    prod = project / "Pulumi.prod.yaml"
    filled = {
        "account: TO-DO": 'account: "123456789012"',
        "hosted_zone: TO-DO": "hosted_zone: Z0123456789ABCDEFGHIJ",
        "emails: [TO-DO]": "emails: [oncall@example.com]",
        "repository: TO-DO": "repository: example/hello",
        "TO-DO.the-domain-of-the-site": "hello.example.com",
    }
    text = prod.read_text()
    for placeholder, value in filled.items():
        assert placeholder in text
        text = text.replace(placeholder, value)
    prod.write_text(text)
    assert len((project / "infra" / "__main__.py").read_text().splitlines()) == 3
    assert re.search(
        r"prod keeps all \d+ rules", slipway(project, installed, "infra", "check", "--stack", "prod")
    )


def test_the_checks_of_the_wheel_are_found_without_a_clone(installed: Path, project: Path):
    (project / "checks" / "conftest.py").unlink(missing_ok=True)
    code = (
        "from slipway.checking import find_checks; from slipway.settings import open_project;"
        "from slipway.traffic.command import find_scenarios; p = open_project('local');"
        "print(*find_checks(p), find_scenarios(p))"
    )
    said = run(project, sys.executable, "-P", "-c", code, site=installed).stdout.split()
    assert said == [str(installed / "checks"), str(installed / "loadtests")]


def test_the_bill_of_materials_names_every_package_that_the_wheel_needs(installed: Path):
    (bill,) = installed.parent.glob("slipway-*.cdx.json")
    listed = {each["name"]: each["version"] for each in json.loads(bill.read_text())["components"]}
    (metadata,) = installed.glob("slipway-*.dist-info/METADATA")
    needed = re.findall(r"^Requires-Dist: ([A-Za-z0-9._-]+)", metadata.read_text(), re.MULTILINE)
    assert {"pyinfra", "pulumi", "locust"} <= {each.lower() for each in needed}
    assert [each for each in needed if each.lower() not in listed] == []
    assert all(listed.values())
