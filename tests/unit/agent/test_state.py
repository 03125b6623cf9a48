import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from hosts.agent import durable
from hosts.agent.errors import AgentError
from hosts.agent.host import Paths
from hosts.agent.state import Exclusive, State
from tests.unit.agent.conftest import World


def hold(root: str, ready: Event) -> None:
    with Exclusive(Paths(root), "stage"):
        ready.set()
        time.sleep(60)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[SpawnProcess]:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(str(tmp_path), ready))
    process.start()
    assert ready.wait(60)
    yield process
    process.kill()
    process.join()


def test_an_older_fence_is_refused_and_changes_nothing(tmp_path: Path):
    paths = Paths(str(tmp_path))
    with Exclusive(paths, "switch", (7, 0)):
        pass
    before = Path(paths.state).read_bytes()
    with pytest.raises(AgentError) as refused, Exclusive(paths, "switch", (6, 0)):
        pytest.fail("went in")
    assert refused.value.to_json() | {"message": ""} == {
        "code": "fenced", "message": "", "log": [], "fence": 6, "step": 0, "newest": 7, "newest_step": 0,
    }  # fmt: skip
    assert Path(paths.state).read_bytes() == before


def test_a_later_step_of_the_same_command_outranks_an_earlier_one(tmp_path: Path):
    paths = Paths(str(tmp_path))
    with Exclusive(paths, "switch", (7, 2)):
        pass
    with pytest.raises(AgentError, match="step 1 of command 7 is older"), Exclusive(paths, "switch", (7, 1)):
        pytest.fail("went in")
    with Exclusive(paths, "switch", (7, 2)) as state:
        assert state.order == (7, 2)


@pytest.mark.parametrize(("order", "outranked"), [((7, 2), True), ((8, 0), True), ((7, 1), False)])
def test_an_outranked_command_that_is_still_at_work_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[int, int], outranked: bool
):
    ended: list[int] = []
    monkeypatch.setattr("hosts.agent.state._terminate_agent", ended.append)
    monkeypatch.setattr("os.getpid", lambda: 1)
    paths = Paths(str(tmp_path))
    with Exclusive(paths, "boot", (7, 1)):
        monkeypatch.setattr("os.getpid", lambda: 2)
        with pytest.raises(AgentError, match="has been at work"), Exclusive(paths, "stop", order, wait=0.1):
            pytest.fail("went in")
    assert ended == ([1] if outranked else [])


def test_a_newer_fence_is_kept_before_anything_is_done(tmp_path: Path):
    paths = Paths(str(tmp_path))
    with Exclusive(paths, "stage", (3, 0)):
        assert State.load(paths).order == (3, 0)
    with Exclusive(paths, "stage", (3, 0)) as state:
        assert state.order == (3, 0)


def test_a_second_agent_waits_and_then_says_who_is_at_work(tmp_path: Path, holder: SpawnProcess):
    with pytest.raises(AgentError) as busy, Exclusive(Paths(str(tmp_path)), "boot", wait=0.2):
        pytest.fail("went in")
    assert busy.value.code == "busy"
    assert busy.value.detail["command"] == "stage"
    assert busy.value.detail["pid"] == holder.pid


def test_a_killed_agent_leaves_no_lock_behind(tmp_path: Path, holder: SpawnProcess):
    assert holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    with Exclusive(Paths(str(tmp_path)), "boot", wait=5) as state:
        assert state.active is None


def test_children_of_the_agent_do_not_keep_its_lock(tmp_path: Path):
    paths = Paths(str(tmp_path))
    with Exclusive(paths, "boot"):
        pid = os.posix_spawnp("sleep", ["sleep", "5"], dict(os.environ))
    try:
        with Exclusive(paths, "stage", wait=1) as state:  # the kernel closes files just after exec
            assert state.order == (0, 0)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "state.json"
    durable.write(str(path), b"old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        durable.write(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "state_broken"),
        (b"[]", "state_broken"),
        (b'{"fence": "x"}', "state_broken"),
        (b'{"schema": 99}', "state_too_new"),
    ],
)
def test_a_state_that_cannot_be_used_is_refused_not_overwritten(tmp_path: Path, content: bytes, code: str):
    paths = Paths(str(tmp_path))
    Path(paths.lib).mkdir(parents=True)
    Path(paths.state).write_bytes(content)
    with pytest.raises(AgentError) as refused, Exclusive(paths, "stage", (1, 0)):
        pytest.fail("went in")
    assert refused.value.code == code
    assert Path(paths.state).read_bytes() == content


def test_state_holds_no_secret_and_reads_back_as_written(world: World):
    world.put("blue", "live", 4, active=True, web={"command": "serve", "instances": 2})
    again = world.state
    assert again.live and again.live.units() == ["slipway-web@blue-1.service", "slipway-web@blue-2.service"]
    first = Path(world.paths.state).read_text()
    again.save()
    assert json.loads(Path(world.paths.state).read_text()) == json.loads(first)
    assert Path(world.paths.state).stat().st_mode & 0o777 == 0o600
