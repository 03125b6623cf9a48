"""The check of who may read backups, on a host before and after its first one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from checks.data import test_backups
from checks.kit.check import NotEvaluated


class Keeper:
    """The host that keeps backups, in a folder of that mode; None: there is none yet."""

    def __init__(self, mode: int | None) -> None:
        self.mode = mode

    def file(self, path: str) -> Any:
        assert path == "/var/backups/slipway"
        if self.mode is None:
            return SimpleNamespace(exists=False)
        return SimpleNamespace(exists=True, mode=self.mode)

    def check_output(self, command: str) -> str:
        assert command.startswith("find ")
        return ""


def judged(monkeypatch: pytest.MonkeyPatch, mode: int | None) -> None:
    def keeper(*_: object) -> Keeper:
        return Keeper(mode)

    monkeypatch.setattr(test_backups, "_keeper", keeper)
    none: Any = None
    test_backups.test_only_root_can_read_backups(none, none)


def test_a_stack_whose_first_backup_is_still_to_come_has_none_to_read(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(NotEvaluated, match="no backup has been made yet"):
        judged(monkeypatch, None)


def test_an_open_folder_fails(monkeypatch: pytest.MonkeyPatch):
    judged(monkeypatch, 0o700)
    with pytest.raises(AssertionError, match="open to others"):
        judged(monkeypatch, 0o755)
