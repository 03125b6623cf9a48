from pathlib import Path

import pytest

from slipway.platforms.local.containers import raise_limits
from slipway.progress import Silent


class Told(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(("before", "after"), [("128\n", "1024"), ("8192\n", "8192\n")])
def test_a_low_limit_is_raised_and_a_high_one_left(tmp_path: Path, before: str, after: str):
    limit = tmp_path / "max_user_instances"
    limit.write_text(before)
    told = Told()
    raise_limits(told, limit)
    assert limit.read_text() == after
    assert len(told.lines) == (before != after)


def test_who_may_not_raise_it_is_told_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    limit = tmp_path / "max_user_instances"
    limit.write_text("128\n")

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    told = Told()
    raise_limits(told, limit)
    assert "sudo sysctl" in told.lines[0]
