"""How an unfinished record is closed."""

from slipway.release.recover import way_out
from tests.unit.release.conftest import release


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
