"""The model of large fleets runs slipway's own fan-out."""

import pytest

from bench.growth_model import Recorded, fleet_of, run
from slipway.fleet import fleet

WORK = {"status": 0.1, "stage": 0.3, "boot": 1.0, "smoke": 0.3, "switch": 0.1, "prune": 0.1}
RECORDED = Recorded(agent=WORK, connect=0.02, client=0.005, interpreter=0.001)


def test_no_more_hosts_are_worked_on_at_once_than_allowed(monkeypatch: pytest.MonkeyPatch):
    with fleet_of(8, RECORDED) as world:
        free = run(world, "release")
    monkeypatch.setattr(fleet, "AT_ONCE", 3)
    with fleet_of(8, RECORDED) as world:
        bounded = run(world, "release")
    assert (free.clients, bounded.clients) == (9, 3)
    assert bounded.phases["boot"] > 2 * free.phases["boot"]
    assert bounded.skew > free.skew


def test_connections_that_are_open_make_a_command_faster():
    with fleet_of(8, RECORDED) as world:
        assert run(world, "release", cold=True).seconds > run(world, "release").seconds
