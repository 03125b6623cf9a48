"""A site, and users who come to it in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.settings import App
from tests.unit.traffic.site import LittleSite

ROOT = Path(__file__).parents[3]
Played = dict[str, Any]
Play = Callable[..., Played]


@pytest.fixture
def site() -> Iterator[LittleSite]:
    with LittleSite() as site:
        yield site


@pytest.fixture(scope="session")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """The process that users live in; one for all, since it takes a second or more to start."""
    with (tmp_path_factory.mktemp("player") / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.traffic.play"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        yield process
        process.kill()
        process.wait()


@pytest.fixture
def play(player: subprocess.Popen[str]) -> Play:
    """Lets users come to a site, and tells what came of it."""

    def play(
        port: int,
        users: list[str],
        app: App,
        *,
        profile: str = "smoke",
        scheme: str = "http",
        host: str = "127.0.0.1",
        begun: Callable[[], None] | None = None,
        **target: Any,
    ) -> Played:
        asked = {
            "users": users,
            "profile": profile,
            "target": {
                "stack": "test",
                "url": f"{scheme}://{host}:{port}",
                "address": ("127.0.0.1", port),
                "app": app.model_dump(mode="json", by_alias=True),
                "values": {"PASSWORD": "right"},
                **target,
            },
        }
        assert player.stdin
        assert player.stdout
        too_long = threading.Timer(60, player.kill)
        too_long.start()
        try:
            player.stdin.write(json.dumps(asked) + "\n")
            player.stdin.flush()
            if begun:
                begun()
            line = player.stdout.readline()
        finally:
            too_long.cancel()
        assert line, "the users' process has ended; its log is in the test's temporary folder"
        return json.loads(line)

    return play
