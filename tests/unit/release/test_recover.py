"""What an earlier command left behind is finished or undone by the next one."""

from dataclasses import replace

import pytest

from slipway.fleet.agent_call import AgentError
from slipway.fleet.fleet import FleetError
from slipway.fleet.ssh import HostDown
from slipway.release.recover import Recovered, recover
from slipway.settings import NeedsPerson
from slipway.storage.records import Head, Release
from tests.unit.release.conftest import World, release


def rollback(number: int, target: int) -> Release:
    return release(number).model_copy(update={"kind": "rollback", "target": target})


def test_hosts_that_serve_an_unfinished_release_are_sent_back_and_the_record_is_closed(world: World):
    world.ledger.left_behind = release(5)
    world.holds("web1", 5, 4)
    found = world.found()
    recovered = recover(found)
    assert [each for each in world.asked if each[1] == "switch"] == [("web1", "switch")]
    assert world.served() == {"web1": 4, "web2": 4}
    assert all(model.where(5) is None for model in world.models.values())
    assert world.documents == [4]
    assert world.ledger.ended == ["undone"]
    assert recovered.what == "undid release 5, which was left unfinished"
    assert recovered.rollout.head == found.head


def test_an_empty_ledger_sends_no_host_dark(world: World):
    """It was lost: hosts that serve are the better witness."""
    world.ledger.is_empty = True
    with pytest.raises(NeedsPerson, match="web1, web2 serve a release") as refused:
        recover(replace(world.found(), head=Head()))
    assert "slipway ledger repair" in refused.value.remedy
    assert [command for _, command in world.asked if command != "status"] == []
    assert world.served() == {"web1": 4, "web2": 4}


def test_a_rollback_that_reached_a_host_is_finished_also_where_its_target_must_be_started_again(world: World):
    world.ledger.left_behind = rollback(6, target=3)
    world.holds("web1", 3, 4)
    world.holds("web2", 4)  # the hold of release 3 has ended here
    recovered = recover(world.found())
    assert [command for host, command in world.asked if host == "web2" and command != "status"] == [
        *("stage", "boot", "smoke", "switch")
    ]
    assert world.served() == {"web1": 3, "web2": 3}
    assert (world.documents, recovered.rollout.live) == ([3], 3)


@pytest.mark.parametrize("left", [None, "staged", "booted", "failed"])
def test_a_cold_rollback_that_had_only_begun_is_undone(world: World, left: str | None):
    world.ledger.left_behind = rollback(6, target=3)
    world.holds("web1", 4, 3, "booted")
    world.holds("web2", 4, 3 if left else None, left or "staged")  # pyright: ignore[reportArgumentType]
    recovered = recover(world.found())
    assert world.served() == {"web1": 4, "web2": 4}
    assert all(model.where(3) is None for model in world.models.values())
    assert (world.ledger.ended, world.ledger.kept) == (["undone"], [4])
    assert recovered.what == "undid the rollback to release 3, which was left unfinished"


def test_a_warm_rollback_that_was_killed_before_its_switch_is_finished(world: World):
    world.ledger.left_behind = rollback(6, target=3)
    for name in ("web1", "web2"):
        world.holds(name, 4, 3)
    assert recover(world.found()).rollout.live == 3
    assert world.served() == {"web1": 3, "web2": 3}


def test_a_warm_rollback_whose_hold_has_ended_on_one_host_is_undone_and_what_is_warm_stays_so(world: World):
    world.ledger.left_behind = rollback(6, target=3)
    world.holds("web1", 4, 3)
    world.holds("web2", 4)
    recover(world.found())
    assert world.served() == {"web1": 4, "web2": 4}
    assert world.models["web1"].where(3) is not None
    assert world.ledger.ended == ["undone"]


def test_a_rollback_whose_target_cannot_start_on_every_host_goes_back(world: World):
    world.ledger.left_behind = rollback(6, target=3)
    world.holds("web1", 3, 4)
    world.holds("web2", 4)
    world.fails["web2", "boot"] = AgentError("web2", "crashed", "release 3 ended while starting")
    recover(world.found())
    assert world.served() == {"web1": 4, "web2": 4}
    assert world.ledger.ended == ["undone"]


def test_a_handover_that_leads_away_is_taken_back_at_once(world: World):
    world.ledger.left_behind = release(5)
    world.holds("worker1", 4, 5, "booted")
    world.models["worker1"] = world.models["worker1"].begin_switch(5)
    world.add("worker1")
    recover(world.found())
    assert [command for host, command in world.asked if host == "worker1" and command != "status"] == [
        *("switch", "stop")
    ]
    assert world.served()["worker1"] == 4


def test_a_slot_that_failed_is_staged_again(world: World):
    world.ledger.left_behind = release(5)
    world.holds("web1", 5, 4, "failed")
    recover(world.found())
    assert world.served() == {"web1": 4, "web2": 4}


def test_a_host_that_cannot_be_asked_is_named_and_the_others_go_back_without_it(world: World):
    world.ledger.left_behind = release(5)
    world.holds("web1", 5, 4)
    with pytest.raises(FleetError) as failed:
        recover(world.found(away={"web2": HostDown("web2", "refused", "")}))
    assert failed.value.details == ("web2: connection refused",)
    assert world.served()["web1"] == 4
    assert world.ledger.ended == []


def test_a_host_that_fails_keeps_the_record_open_and_no_other_host_from_going_back(world: World):
    world.ledger.left_behind = release(5)
    for name in ("web1", "web2"):
        world.holds(name, 5, 4)
    world.fails["web1", "switch"] = AgentError("web1", "haproxy", "HAProxy does not answer")
    with pytest.raises(NeedsPerson, match="web1 failed") as failed:
        recover(world.found())
    assert failed.value.details == ("web1: HAProxy does not answer",)
    assert world.served() == {"web1": 5, "web2": 4}
    assert world.ledger.ended == []


def test_a_host_that_serves_another_release_than_the_ledger_names_is_sent_home(world: World):
    world.holds("web2", 5, 4)
    assert recover(world.found()).what == "sent web2 to release 4"
    assert world.served() == {"web1": 4, "web2": 4}


def test_where_nothing_was_left_behind_nothing_is_done(world: World):
    found = world.found()
    assert recover(found) == Recovered(found)
    assert world.asked == []
