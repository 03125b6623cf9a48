"""Every check has a sabotage of a real host that turns it red: else it may be one that cannot fail."""

from __future__ import annotations

import importlib
from pathlib import Path

from checks.kit.matrix import all_checks
from tests.fleet.checks.harness import Case

OTHERWISE = {
    "I3/every-host-can-be-reached": "tests/unit/checks/test_verdicts.py: a host that is away",
    "X1/tls-does-not-compress": "no server of this decade can be made to compress",
    "X7/slow-clients-keep-no-one-out": "only with --deep, and by tests/unit/checks",
}
"""Checks without a sabotage, and why."""
FOLDER = Path(__file__).parents[2] / "fleet" / "checks"


def test_every_check_is_turned_red_by_a_sabotage() -> None:
    proved = set[str]()
    for file in sorted(FOLDER.glob("test_*.py")):
        for value in vars(importlib.import_module(f"tests.fleet.checks.{file.stem}")).values():
            if isinstance(value, tuple):
                proved |= {red for case in value if isinstance(case, Case) for red in case.red}
    known = {check.id for check in all_checks()}
    assert sorted(known - proved - set(OTHERWISE)) == []
    assert set(OTHERWISE) <= known - proved, "a check that is proved needs no excuse"
