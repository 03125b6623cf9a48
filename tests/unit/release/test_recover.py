"""What a killed command left behind is finished or undone."""

from slipway.release.recover import Recovered, recover, way_out
from tests.unit.release.conftest import World, release


def test_an_unfinished_release_is_undone_to_what_the_head_names():
    way = way_out(release(5), live=4)
    assert (way.target, way.is_forward) == (4, False)
    assert "undid release 5" in way.what


def test_an_unfinished_first_release_leaves_nothing_that_serves():
    assert way_out(release(1), live=None).target == 0


def test_an_unfinished_rollback_is_finished():
    record = release(6).model_copy(update={"kind": "rollback", "target": 3})
    way = way_out(record, live=5)
    assert (way.target, way.is_forward) == (3, True)
    assert way.what == "finished the rollback to release 3"


def test_hosts_that_serve_a_killed_release_are_sent_back_and_the_record_is_closed(world: World):
    world.ledger.left_behind = release(5)
    world.serves = {"web1": 5, "web2": 4}
    found = world.found()
    recovered = recover(found)
    assert [each for each in world.asked if each[1] == "switch"] == [("web1", "switch")]
    assert ("web2", "stop") in world.asked
    assert world.documents == [4]
    assert world.ledger.ended == ["undone"]
    assert recovered.what == way_out(release(5), 4).what
    assert recovered.rollout.head == found.head


def test_a_killed_rollback_is_finished_and_its_target_is_live(world: World):
    world.ledger.left_behind = release(6).model_copy(update={"kind": "rollback", "target": 3})
    world.serves = {"web1": 3, "web2": 4}
    recovered = recover(world.found())
    assert [each for each in world.asked if each[1] == "switch"] == [("web2", "switch")]
    assert world.documents == [3]
    assert recovered.rollout.live == 3


def test_where_nothing_was_left_behind_nothing_is_done(world: World):
    assert recover(world.rollout) == Recovered(world.rollout)
    assert world.asked == []
