"""The doctor finds what is wrong, says what to do, and survives whatever it finds."""

from __future__ import annotations

import json
import shutil
import socket
import stat
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.doctor import Diagnosis, checks, diagnose, examine, machine
from slipway.platforms.local import docker as daemon
from slipway.platforms.local.platform import LocalPlatform
from slipway.settings import Project, SlipwayError, open_project
from tests.ports import free_port, local_fleet_ports

TOML = """
name = "hello"
runtime = { name = "none" }
[processes.web]
command = "./serve"
[env]
SESSION_SECRET = { secret = true, generate = "base64:32" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("SLIPWAY_AGE_KEY", "SLIPWAY_AGE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Pulumi.yaml").write_text("name: doctored\nruntime: python\n")
    (tmp_path / "slipway.toml").write_text(TOML)
    (tmp_path / "Pulumi.local.yaml").write_text(
        f"config:\n  slipway:platform: local\n  slipway:local: {json.dumps(local_fleet_ports())}\n"
    )
    return tmp_path


@pytest.fixture
def project(folder: Path) -> Project:
    return open_project("local", folder)


def of(findings: Iterable[Diagnosis], level: str) -> str:
    return "\n".join(f"{found.what} -> {found.remedy}" for found in findings if found.level == level)


def commands(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """A PATH with these commands only."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for name, script in scripts.items():
        command = bin_folder / name
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(bin_folder))


def test_a_project_that_was_never_brought_up_gets_the_commands_that_bring_it_up(folder: Path) -> None:
    found = examine("local", folder)
    assert "Pulumi.local.yaml and slipway.toml are valid" in of(found, "ok")
    assert "secret SESSION_SECRET: is missing -> slipway secrets generate --stack local" in of(found, "fail")
    assert "there is no age key yet" in of(found, "warn")
    assert "-> slipway up --stack local" in of(found, "warn")


def test_a_broken_toml_is_found_with_its_line_and_the_machine_is_looked_at_still(folder: Path) -> None:
    (folder / "slipway.toml").write_text(TOML + "[limits]\nbody_bites = 1\n")
    found = examine("local", folder)
    assert "slipway.toml:9 limits.body_bites" in of(found, "fail")
    assert "Python 3" in of(found, "ok")


def test_an_unknown_stack_is_found(folder: Path) -> None:
    assert 'there is no stack "prot"' in of(examine("prot", folder), "fail")


def test_a_port_in_use_names_its_setting(project: Project) -> None:
    with socket.socket() as busy:
        port = free_port()
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind(("127.0.0.1", port))
        busy.listen()
        stack = project.stack.model_copy(
            update={"local": project.stack.local.model_copy(update={"https_port": port})}
        )
        there = replace(project, stack=stack)
        assert f"Pulumi.local.yaml slipway:local https_port: port {port} is taken" in of(
            LocalPlatform(there).ports(), "fail"
        )
    assert "https_port" not in of(LocalPlatform(there).ports(), "fail")


@pytest.mark.parametrize(
    ("says", "root", "level", "remedy"),
    [
        ("permission denied while trying to connect", False, "fail", "usermod -aG docker"),
        ("Cannot connect to the Docker daemon", False, "fail", "systemctl start docker"),
        ("Cannot connect to the Docker daemon", True, "warn", "slipway up --stack local"),
    ],
)
def test_a_docker_that_does_not_answer_is_told_by_its_reason(
    says: str, root: bool, level: str, remedy: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands(project.root, monkeypatch, docker=f"echo '{says}' >&2; exit 1")
    monkeypatch.setattr(daemon.os, "geteuid", lambda: 0 if root else 1000)
    assert remedy in of(daemon.docker(), level)


def test_a_missing_docker_and_ssh_say_which_package_to_install(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands(project.root, monkeypatch)
    monkeypatch.setattr(daemon.os, "geteuid", lambda: 1000)
    assert "apt-get install docker.io" in of(daemon.docker(), "fail")
    assert "apt-get install openssh-client" in of(machine.ssh_client(project), "fail")


@pytest.mark.parametrize(("gib", "level"), [(1, "fail"), (5, "warn"), (50, "ok")])
def test_little_room_is_told(gib: int, level: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(project.root)._replace(free=gib * 2**30)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path: usage)  # type: ignore[misc]
    assert {found.level for found in machine.disk(project)} == {level}


def test_an_npm_registry_that_does_not_answer_is_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands(folder, monkeypatch, npm="exit 1")
    assert "npm ping" in of(machine.npm_registry(None), "warn")


def test_a_check_that_breaks_is_a_finding_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(project: Project | None) -> Iterable[Diagnosis]:
        raise ZeroDivisionError("accident")

    def refused(project: Project | None) -> Iterable[Diagnosis]:
        raise SlipwayError("no", remedy="ask again")

    monkeypatch.setattr(checks, "MACHINE", (broken, refused, machine.python))
    found = diagnose(None)
    assert "broken could not be examined: ZeroDivisionError: accident" in of(found, "fail")
    assert "no -> ask again" in of(found, "fail")
    assert "Python 3" in of(found, "ok")
