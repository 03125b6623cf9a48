"""The check of a cheap health path, on a site that answers as fast as a test says."""

from __future__ import annotations

from datetime import timedelta
from itertools import cycle
from types import SimpleNamespace
from typing import Any

import pytest

from checks.exposed.test_answers import test_health_is_cheap as check_health


def site(*seconds: float) -> Any:
    """Seconds that the health path takes, in turn."""
    turn = cycle(seconds)

    def get(_path: str) -> SimpleNamespace:
        return SimpleNamespace(elapsed=timedelta(seconds=next(turn)))

    app = SimpleNamespace(web=SimpleNamespace(health="/up"))
    return SimpleNamespace(live=SimpleNamespace(app=app), get=get)


def test_a_busy_machine_does_not_make_health_expensive() -> None:
    check_health(site(0.4, 0.5, 0.09, 0.4))


def test_a_health_path_that_takes_its_time_fails() -> None:
    with pytest.raises(AssertionError, match="the fastest of 15 is 300 ms"):
        check_health(site(0.31, 0.3, 0.4))
