"""One-off commands: what systemd-run is given."""

from pathlib import Path
from typing import Any

import pytest

from hosts.agent import run, stage
from hosts.agent.errors import AgentError
from tests.unit.agent.conftest import TICKET, WEB, World


def test_the_migrate_command_of_the_release_is_run_by_sh(world: World, monkeypatch: pytest.MonkeyPatch):
    """Assignments, `&&` and quotes mean what they mean in a shell."""
    command = "STEP=1 && bun migrate.ts '$STEP'"
    manifest: dict[str, object] = {
        "layers": [],
        "processes": {"web": WEB},
        "migrate": {"command": command, "directory": "db", "timeout_seconds": 7},
    }
    wanted: dict[str, Any] = {"build": "b1", "config": "c", "env": {"migrate": {}}, "ticket": TICKET}
    world.ask(stage.command, fence=1, release=1, manifest=manifest, **wanted)
    given: list[list[str]] = []

    def follow(argv: list[str], _: list[str]) -> Any:
        given.append(argv)
        return 0, []

    monkeypatch.setattr(run, "_follow", follow)
    world.ask(run.command, fence=1, release=1, scope="migrate")
    assert given[0][-3:] == ["/bin/sh", "-c", command.replace("$", "$$")]
    assert "--property=RuntimeMaxSec=7" in given[0]
    assert any(word.endswith("builds/b1/db") for word in given[0])


def test_a_command_of_an_image_runs_in_it_without_a_shell(world: World, monkeypatch: pytest.MonkeyPatch):
    manifest: dict[str, object] = {
        "layers": [],
        "image": {"env": {"PATH": "/opt/bin", "MODE": "fast"}},
        "processes": {"web": {"command": "/opt/bin/serve"}},
        "migrate": {"command": "/opt/bin/migrate 'up to' 3", "directory": "srv"},
    }
    wanted: dict[str, Any] = {"build": "b1", "config": "c", "env": {"migrate": {}}, "ticket": TICKET}
    world.ask(stage.command, fence=1, release=1, manifest=manifest, **wanted)
    program = Path(world.paths.build("b1")) / "opt/bin/migrate"
    program.parent.mkdir(parents=True)
    program.touch()
    given: list[list[str]] = []

    def follow(argv: list[str], _: list[str]) -> Any:
        given.append(argv)
        return 0, []

    monkeypatch.setattr(run, "_follow", follow)
    world.ask(run.command, fence=1, release=1, scope="migrate")
    world.ask(run.command, fence=1, release=1, scope="task", argv=["migrate", "down"])
    assert given[0][-4:] == ["--", "/opt/bin/migrate", "up to", "3"]
    assert f"--property=RootDirectory={world.paths.build('b1')}" in given[0]
    assert "--property=WorkingDirectory=/srv" in given[0]
    assert given[1][-2:] == ["/opt/bin/migrate", "down"]
    with pytest.raises(AgentError, match="the image has no program gone"):
        world.ask(run.command, fence=1, release=1, scope="task", argv=["gone"])
