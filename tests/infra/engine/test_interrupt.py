"""Ctrl-C, kill -9 and other people's locks, with the real engine in a process of its own."""

from __future__ import annotations

import getpass
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from slipway.platforms.pulumi.open import in_session, kill_session
from slipway.platforms.pulumi.up import up
from slipway.progress import Silent
from slipway.settings import LeaseHeld
from tests.infra.engine.conftest import World
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)

UP = """
import sys
from pathlib import Path
from slipway.platforms.pulumi.up import up
from slipway.progress import Lines
from slipway.settings.app import App
from slipway.settings.project import Project
from slipway.settings.stack import Stack
root = Path(sys.argv[1])
processes = {"web": {"command": "./serve"}}
app = App.model_validate({"name": "world", "runtime": {"name": "none"}, "processes": processes})
up(Project(root, Stack(name="test", project="world", platform="local"), app, root, root), Lines(sys.stderr))
"""


def begin(world: World, name: str) -> subprocess.Popen[str]:
    """An update in another process that has begun to make `name`."""
    command = [sys.executable, "-c", UP, str(world.project.root)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until(lambda: (world.cloud / f"begun-{name}").exists() or running.poll() is not None, seconds=90)
    assert running.poll() is None, running.stderr and running.stderr.read()
    return running


def engine_of(world: World) -> int:
    """The engine's process, as its lock names it."""
    return json.loads(world.locks()[0].read_text())["pid"]


def test_ctrl_c_lets_what_has_begun_end_and_begins_no_more(world: World) -> None:
    world.want(slow={"seconds": 6})
    running = begin(world, "slow")
    assert world.locks() != []
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=90)
    assert "stopping: what has begun is finished first" in said
    assert running.returncode != 0
    assert set(world.there()) == {"slow"}
    assert world.locks() == []


def test_a_second_ctrl_c_kills_and_leaves_no_lock_and_no_process(world: World) -> None:
    world.want(slow={"seconds": 120})
    running = begin(world, "slow")
    engine = engine_of(world)
    assert len(in_session(engine)) > 2, "the engine, the program's host, the provider"
    running.send_signal(signal.SIGINT)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert "removed the lock of" in said
    until(lambda: in_session(engine) == [], seconds=10)
    assert world.locks() == []
    assert world.there() == {}
    world.want(slow={"seconds": 0})
    up(world.project, Silent())
    assert set(world.there()) == {"slow"}


def test_the_lock_of_a_killed_update_is_removed_by_the_next(world: World) -> None:
    world.want(slow={"seconds": 120})
    running = begin(world, "slow")
    engine = engine_of(world)
    os.kill(running.pid, signal.SIGKILL)
    kill_session(engine)
    running.communicate()
    assert len(world.locks()) == 1
    world.want(slow={"seconds": 0})
    up(world.project, Silent())
    assert set(world.there()) == {"slow"}
    assert world.locks() == []


def test_anothers_lock_is_kept_until_its_owner_is_named(world: World) -> None:
    world.want(note={})
    up(world.project, Silent())
    folder = world.state / ".pulumi/locks/organization/world/test"
    folder.mkdir(parents=True, exist_ok=True)
    held = {"pid": 77, "username": getpass.getuser(), "hostname": "ci-7"}
    (folder / "5b1f.json").write_text(json.dumps({**held, "timestamp": datetime.now(UTC).isoformat()}))
    world.want(note={"text": "two"})
    owner = f"{getpass.getuser()}@ci-7:77"
    assert socket.gethostname() != "ci-7"
    for named in ("", "somebody@ci-7:77"):
        with pytest.raises(LeaseHeld) as kept:
            up(world.project, Silent(), break_lock=named)
        assert kept.value.details[0].startswith(owner)
        assert len(world.locks()) == 1
    assert world.there()["note"]["text"] == ""
    up(world.project, Silent(), break_lock=owner)
    assert world.there()["note"]["text"] == "two"
    assert world.locks() == []
