"""No order of events, in a world small enough to look at all of them, hurts anyone or needs a person."""

import os
from itertools import product

import pytest

from slipway.release import protocol
from slipway.release.protocol import Goal, Way
from slipway.storage.records import Release
from tests.simulation.search import Found, search
from tests.simulation.small_world import Kind, begin

FAULTS = int(os.environ.get("SLIPWAY_FAULTS", "1"))
PAIRS: tuple[tuple[Kind, Kind], ...] = (
    ("release", "status"),
    ("rollback", "status"),
    ("release", "rollback"),
    ("rollback", "release"),
    ("release", "release"),
    ("rollback", "rollback"),
)


@pytest.mark.parametrize(("kinds", "is_warm", "broken"), [*product(PAIRS, (True, False), (True, False))])
def test_every_order_of_events_is_safe_and_ended_by_the_next_command(
    kinds: tuple[Kind, Kind], is_warm: bool, broken: bool
):
    """A release that cannot start on every host is one of the faults."""
    assert search(begin(kinds, is_warm=is_warm, faults=FAULTS - broken, broken=broken)) > 10


def test_the_search_finds_what_recovery_without_starting_releases_again_would_leave(
    monkeypatch: pytest.MonkeyPatch,
):
    """V1: a cold rollback was always finished, by switching alone."""

    def only_forward(record: Release, live: int | None, _: object) -> Way:
        return Way(Goal(record.target or live or 0), is_forward=True)

    def only_switch(goal: Goal, host: protocol.HostView, done: object = ()) -> protocol.Task | None:
        return "switch" if host.serves != goal.release else None

    monkeypatch.setattr("tests.simulation.small_world.way_out", only_forward)
    monkeypatch.setattr("tests.simulation.small_world.next_task", only_switch)
    with pytest.raises(Found, match="after the next command"):
        search(begin(("rollback", "status"), is_warm=False, faults=1, broken=False))
