"""Every check has a sabotage of a real host that turns it red: else it may be one that cannot fail."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from checks.kit.matrix import all_checks
from tests.fleet.checks.harness import Case
from tests.fleet.checks.sabotages import SABOTAGES

OTHERWISE = {
    "I11/the-app-logs-json-lines": "it reads the live release alone: a build that logs otherwise is needed",
    "P9/the-app-runs-in-production-mode": "another NODE_ENV turns the check of the release's env red first",
    "I3/every-host-can-be-reached": "ssh keeps its connection to a host, and answers over it",
    "X1/tls-does-not-compress": "no server of this decade can be made to compress",
    "X12/a-quiet-socket-stays-open": "the app's own pings keep a tunnel open that the edge cuts after 4 s",
    "X7/slow-clients-keep-no-one-out": "it runs with --deep alone",
}
"""Checks without a sabotage, and why."""
FOLDER = Path(__file__).parents[2] / "fleet" / "checks"


def test_every_check_is_turned_red_by_a_sabotage() -> None:
    proved = {each.check for each in SABOTAGES}
    for file in sorted(FOLDER.glob("test_*.py")):
        for value in vars(importlib.import_module(f"tests.fleet.checks.{file.stem}")).values():
            if isinstance(value, tuple | list):
                cases = [each for each in cast("Sequence[object]", value) if isinstance(each, Case)]
                proved |= {red for case in cases for red in case.red}
    known = {check.id for check in all_checks()}
    assert sorted(known - proved - set(OTHERWISE)) == []
    assert set(OTHERWISE) <= known - proved, "a check that is proved needs no excuse"
