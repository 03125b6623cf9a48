"""What fails is undone in reverse, and the person learns how the fleet is."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pytest

from slipway.release.phases import Phases
from slipway.release.promote import Promote, ReturnTo
from slipway.release.rollout import Phase, Rollout
from slipway.settings import BadInput, NeedsPerson, ReleaseFailed, SlipwayError
from slipway.storage.records import Release
from tests.unit.release.conftest import Ledger, World, release


@dataclass
class Recorder(Phase[str]):
    """A phase that writes down what is done to it, and fails if a test says so."""

    name: ClassVar[str] = "recorder"

    label: str
    trail: list[str] = field(default_factory=list[str])
    fails: BaseException | None = None

    def run(self, rollout: Rollout) -> str:
        self.trail.append(f"run {self.label}")
        if self.fails:
            raise self.fails
        return self.label

    def undo(self, rollout: Rollout) -> None:
        self.trail.append(f"undo {self.label}")

    def detail(self, result: str) -> dict[str, object]:
        return {"result": result}


class CannotUndo(Recorder):
    def undo(self, rollout: Rollout) -> None:
        super().undo(rollout)
        raise NeedsPerson("web2 did not go back", remedy="start web2")


class Opens(Recorder):
    """Opens the command's record, as publish does."""

    def opened(self, result: str) -> Release:
        return release(5)


def run(rollout: Rollout, *phases: Phase[Any], record: Release | None = None) -> Phases:
    with Phases(rollout, record or release(5)) as made:
        for phase in phases:
            made.run(phase)
    return made


def test_phases_run_in_order_and_nothing_is_undone_when_all_is_well(world: World):
    trail: list[str] = []
    run(world.rollout, Recorder("one", trail), Recorder("two", trail))
    assert trail == ["run one", "run two"]
    assert world.ledger.ended == []


def test_a_phase_returns_its_result_and_the_ledger_records_its_detail(world: World):
    with Phases(world.rollout, release(5)) as phases:
        assert phases.run(Recorder("one")) == "one"
    assert world.ledger.events == [
        ("recorder", "started", None),
        ("recorder", "done", {"result": "one"}),
    ]


def test_the_ledger_hears_of_phases_once_one_has_opened_the_record(world: World):
    with Phases(world.rollout) as phases:
        phases.run(Recorder("one"))
        assert world.ledger.events == []
        phases.run(Opens("two"))
    assert [what for _, what, _ in world.ledger.events] == ["done"]


def test_a_failure_undoes_the_failed_phase_and_those_before_in_reverse(world: World):
    trail: list[str] = []
    two = Recorder("two", trail, ReleaseFailed("web1 crashed"))
    with pytest.raises(ReleaseFailed) as failed:
        run(world.rollout, Recorder("one", trail), two, Recorder("three", trail))
    assert trail == ["run one", "run two", "undo two", "undo one"]
    assert failed.value.message == "web1 crashed"
    assert "Release 4 serves as before." in failed.value.details[-1]
    assert world.ledger.ended == ["undone"]
    assert [what for _, what, _ in world.ledger.events] == [
        *("started", "done", "started", "failed", "undone", "undone"),
    ]


def test_a_failure_between_two_phases_undoes_those_before(world: World):
    trail: list[str] = []
    with pytest.raises(ReleaseFailed, match="interrupted"), Phases(world.rollout, release(5)) as phases:
        phases.run(Recorder("one", trail))
        raise KeyboardInterrupt
    assert trail == ["run one", "undo one"]


def test_whatever_fails_in_reaching_hosts_or_bucket_is_reported_with_what_serves(world: World):
    with pytest.raises(ReleaseFailed, match="web2 does not answer") as failed:
        run(world.rollout, Recorder("one", [], SlipwayError("web2 does not answer")))
    assert "Release 4 serves as before." in failed.value.details[-1]


def test_ctrl_c_undoes_and_says_what_serves(world: World):
    trail: list[str] = []
    with pytest.raises(ReleaseFailed, match=r"interrupted.*Release 4 serves as before"):
        run(world.rollout, Recorder("one", trail, KeyboardInterrupt()))
    assert trail == ["run one", "undo one"]


def test_an_undo_that_fails_needs_a_person_and_the_record_stays_open_for_recovery(world: World):
    trail: list[str] = []
    with pytest.raises(NeedsPerson, match="web2 did not go back"):
        run(world.rollout, Recorder("one", trail), CannotUndo("two", trail, ReleaseFailed("no")))
    assert trail[-1] == "undo one", "the other phases must be undone all the same"
    assert world.ledger.ended == []


def test_a_ledger_that_is_out_of_reach_does_not_hide_what_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    def out_of_reach(*_: object) -> None:
        raise SlipwayError("the bucket does not answer")

    trail: list[str] = []
    monkeypatch.setattr(Ledger, "end", out_of_reach)
    with pytest.raises(ReleaseFailed, match="web1 crashed") as failed:
        run(world.rollout, Recorder("one", trail, ReleaseFailed("web1 crashed")))
    assert trail == ["run one", "undo one"]
    assert "the bucket does not answer" in failed.value.details[-1]


def test_bad_input_stays_bad_input(world: World):
    with pytest.raises(BadInput), Phases(world.rollout) as phases:
        phases.run(Recorder("preflight", [], BadInput("a secret is missing")))


def test_no_phase_can_write_into_what_all_share(world: World):
    with pytest.raises(AttributeError):
        world.rollout.head = world.ledger.head()  # pyright: ignore[reportAttributeAccessIssue]


# after the head has moved

ENDS = pytest.mark.parametrize("last", [Promote, ReturnTo])


@ENDS
@pytest.mark.parametrize("fails", [KeyboardInterrupt(), SlipwayError("web1 does not answer")])
def test_once_promoted_nothing_is_undone(world: World, last: type[Phase[None]], fails: BaseException):
    trail: list[str] = []
    retire = Recorder("retire", trail, fails)
    phases = run(world.rollout, Recorder("switch", trail), world.last(last), retire)
    assert trail == ["run switch", "run retire"]
    assert (world.ledger.ended, world.documents) == ([], [5])
    assert "release 5 is live" in world.rollout.warnings[-1].lower()
    report = phases.report({}, 1.0)
    assert (report.release, report.came_from) == (5, 4)


@ENDS
@pytest.mark.parametrize("lost", [KeyboardInterrupt(), SlipwayError("the answer was lost")])
def test_a_head_that_moved_without_our_hearing_of_it_counts(
    world: World, last: type[Phase[None]], lost: BaseException
):
    trail: list[str] = []
    world.ledger.fails = lost
    run(world.rollout, Recorder("switch", trail), world.last(last))
    assert (trail, world.documents, world.ledger.live) == (["run switch"], [5], 5)


@ENDS
def test_a_head_that_did_not_move_is_undone_and_boot_documents_are_restored(
    world: World, last: type[Phase[None]], monkeypatch: pytest.MonkeyPatch
):
    def refused(*_: object, **__: object) -> None:
        raise SlipwayError("the lease was lost")

    trail: list[str] = []
    for write in ("promote", "roll_back"):
        monkeypatch.setattr(Ledger, write, refused)
    with pytest.raises(ReleaseFailed, match="the lease was lost"):
        run(world.rollout, Recorder("switch", trail), world.last(last))
    assert (trail, world.documents) == (["run switch", "undo switch"], [5, 4])


@ENDS
def test_a_head_that_cannot_be_read_is_left_for_the_next_command_to_settle(
    world: World, last: type[Phase[None]]
):
    trail: list[str] = []
    world.ledger.fails = SlipwayError("the answer was lost")
    world.ledger.is_readable = False
    with pytest.raises(NeedsPerson, match="not known whether release 5"):
        run(world.rollout, Recorder("switch", trail), world.last(last))
    assert (trail, world.documents) == (["run switch"], [5])


def test_a_rollback_is_reported_under_its_targets_number(world: World):
    record = release(6).model_copy(update={"kind": "rollback", "target": 5})
    rollout = replace(world.rollout, warnings=["w"])
    report = run(rollout, world.last(ReturnTo), record=record).report({}, 1.5, warm=True)
    assert (report.release, report.as_json()["from"], report.as_json()["warm"]) == (5, 4, True)
