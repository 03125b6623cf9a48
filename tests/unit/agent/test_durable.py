"""What a killed writer leaves, and what writers at once do to each other."""

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from hosts.agent import durable

WRITERS, ROUNDS, PIECE = 6, 40, 5_000


def in_another_process(do: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            do()
        finally:
            os._exit(0)
    return pid


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_what_a_killed_writer_left_is_gone_with_the_next_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "slots.map"
    path.write_bytes(b"before")
    whole = os.write

    def killed_half_way(handle: int, view: memoryview) -> NoReturn:
        whole(handle, bytes(view)[:3])
        signal.raise_signal(signal.SIGKILL)
        raise AssertionError

    def write() -> None:
        monkeypatch.setattr(os, "write", killed_half_way)
        durable.write(str(path), b"secret of the killed one", 0o644)

    os.waitpid(in_another_process(write), 0)
    assert path.read_bytes() == b"before"
    assert len(names(tmp_path)) == 2, "it was not killed half-way"
    durable.write(str(path), b"after", 0o600)
    assert names(tmp_path) == ["slots.map"]
    assert path.read_bytes() == b"after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_of_writers_at_once_each_replaces_the_whole_file(tmp_path: Path):
    path = tmp_path / "state.json"

    def often(letter: bytes) -> Callable[[], None]:
        def write() -> None:
            for size in range(1, ROUNDS + 1):
                durable.write(str(path), letter * size * PIECE, sync=False)

        return write

    pids = [in_another_process(often(bytes([65 + number]))) for number in range(WRITERS)]
    while pids:
        content = durable.read(str(path)) or b""
        assert content == content[:1] * len(content)
        assert len(content) % PIECE == 0
        pids = [pid for pid in pids if not os.waitpid(pid, os.WNOHANG)[0]]
    assert names(tmp_path) == ["state.json"]
    assert len(path.read_bytes()) == ROUNDS * PIECE


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        durable.write(str(tmp_path / "slots.map"), b"more")
    assert names(tmp_path) == []
