"""A fleet of four servers, as the settings list it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from slipway.settings import App, Project, Server, Stack

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEdkuE7RjrhDAfLsmIoMm4GDSS6qfNZfmAV3rrJRN3bM"


def server(name: str, role: str, number: int, **more: str) -> Server:
    facts = {
        "name": name,
        "role": role,
        "address": f"10.0.0.{number}",
        "ssh": f"deploy@203.0.113.{number}:2222",
        "host_key": KEY,
    }
    return Server.model_validate({**facts, **more})


SERVERS = [
    server("edge1", "edge", 1),
    server("web1", "web", 2),
    server("web2", "web", 3),
    server("data1", "data", 4),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("SLIPWAY_SSH_KEY", "SLIPWAY_SSH_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    stack = Stack(name="prod", project="board", platform="servers", domain="board.example", servers=SERVERS)
    app = App.model_validate(
        {"name": "board", "runtime": {"name": "none"}, "processes": {"web": {"command": "./serve"}}}
    )
    return Project(
        root=tmp_path, stack=stack, app=app, app_dir=tmp_path, state_dir=tmp_path / ".slipway/prod"
    )


class Memory:
    """A secret store."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.writes = 0

    def read(self) -> dict[str, str]:
        return dict(self.values)

    def names(self) -> list[str]:
        return sorted(self.values)

    def set(self, name: str, value: str) -> None:
        self.update({name: value})

    def update(self, values: Mapping[str, str]) -> None:
        self.writes += bool(values)
        self.values = {**self.values, **values}

    def unset(self, name: str) -> None:
        del self.values[name]
