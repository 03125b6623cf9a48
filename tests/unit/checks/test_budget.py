"""Checks that spend this machine's budget at limits per address: their order, and two runs at once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.kit.budget import held, key_of
from tests.unit.checks.conftest import Ran

SOURCE = """
@check("X7", spends="all", **RULE)
def test_a_flood(): pass
@check("X7", spends="some", **RULE)
def test_a_few(): pass
@check("X1", **RULE)
def test_nothing_is_spent(): pass
@pytest.fixture(scope="session")
def hosts(): return type("Hosts", (), {"of": lambda self, role: []})()
"""
ALSO = "Live.outputs.by_role = lambda role: []"


def test_what_spends_the_budget_comes_last_and_what_uses_it_up_comes_after_all(
    run: Callable[..., Ran],
) -> None:
    ran = run(SOURCE, also=ALSO)
    assert [each["id"] for each in ran.results] == ["X1/nothing-is-spent", "X7/a-few", "X7/a-flood"], ran.said
    assert ran.code == 0


def test_one_run_waits_while_another_spends(tmp_path: Path) -> None:
    live = cast("Any", SimpleNamespace(state_dir=tmp_path))
    seen: list[str] = []

    def other() -> None:
        with held(live):
            seen.append("the other run spends")

    with held(live):
        waiting = threading.Thread(target=other)
        waiting.start()
        time.sleep(0.3)
        seen.append("the first run is done")
    waiting.join(30)
    assert seen == ["the first run is done", "the other run spends"], json.dumps(seen)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("198.18.0.2", "::ffff:198.18.0.2"),
        ("::ffff:198.18.0.2", "::ffff:198.18.0.2"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
    ],
)
def test_the_edges_table_has_a_key_for_each_address(address: str, key: str) -> None:
    assert key_of(address) == key
