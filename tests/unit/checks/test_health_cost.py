"""The check of a cheap health path, on a site that answers as fast as a test says."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from checks.exposed.test_answers import test_health_is_cheap as check_health


def site(health: float, edge: float) -> Any:
    """Seconds that the health path takes, and the edge alone."""

    def get(_path: str) -> SimpleNamespace:
        return SimpleNamespace(elapsed=timedelta(seconds=health))

    def request(_method: str, _path: str) -> SimpleNamespace:
        return SimpleNamespace(elapsed=timedelta(seconds=edge))

    web = SimpleNamespace(health="/up")
    return SimpleNamespace(live=SimpleNamespace(app=SimpleNamespace(web=web)), get=get, request=request)


def test_a_busy_machine_does_not_make_health_expensive() -> None:
    check_health(site(health=0.4, edge=0.3))


def test_a_health_path_that_takes_its_time_fails() -> None:
    with pytest.raises(AssertionError, match="the median of 15 is 300 ms, 10 ms of it the edge's"):
        check_health(site(health=0.3, edge=0.01))
