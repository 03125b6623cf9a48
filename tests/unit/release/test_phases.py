"""What fails is undone in reverse, and the person learns how the fleet is."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from slipway.fleet.agent_call import AgentError
from slipway.fleet.ssh import HostDown
from slipway.release.phases import Phases
from slipway.release.preempt import Preempted
from slipway.release.promote import Promote, ReturnTo
from slipway.release.rollout import Phase, Rollout
from slipway.settings import BadInput, LeaseHeld, NeedsPerson, ReleaseFailed, SlipwayError
from slipway.storage.lease import LeaseLost
from slipway.storage.records import Release
from tests.simulation.model import ModelHost, Refused
from tests.unit.release.conftest import Ledger, World, release


@dataclass
class Recorder(Phase[str]):
    """A phase that writes down what is done to it, and fails if a test says so."""

    name: ClassVar[str] = "recorder"
    undoing: ClassVar[str] = "recorder"

    label: str
    trail: list[str] = field(default_factory=list[str])
    fails: BaseException | None = None

    def run(self, rollout: Rollout) -> str:
        self.trail.append(f"run {self.label}")
        if self.fails:
            raise self.fails
        return self.label

    def detail(self, result: str) -> dict[str, object]:
        return {"result": result}


class Touches(Recorder):
    """Changes no host."""

    undoing: ClassVar[str] = ""


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


@pytest.fixture
def switched(world: World) -> World:
    """web1 has switched to release 5, web2 has it booted."""
    world.holds("web1", 5, 4)
    return world


def test_a_failure_sends_every_host_back_and_empties_the_slots(switched: World):
    trail: list[str] = []
    two = Recorder("two", trail, ReleaseFailed("web1 crashed", details=["a log line"]))
    with pytest.raises(ReleaseFailed) as failed:
        run(switched.rollout, Recorder("one", trail), two, Recorder("three", trail))
    assert trail == ["run one", "run two"]
    assert switched.served() == {"web1": 4, "web2": 4}
    assert all(model.where(5) is None for model in switched.models.values())
    assert failed.value.message == "web1 crashed"
    assert failed.value.details == ("undone: recorder, recorder. Release 4 serves as before.", "a log line")
    assert switched.ledger.ended == ["undone"]
    assert [what for _, what, _ in switched.ledger.events] == [
        *("started", "done", "started", "failed", "undone", "undone"),
    ]


def test_a_failure_between_two_phases_undoes_those_before(switched: World):
    with pytest.raises(ReleaseFailed, match="interrupted"), Phases(switched.rollout, release(5)) as phases:
        phases.run(Recorder("one"))
        raise KeyboardInterrupt
    assert switched.served() == {"web1": 4, "web2": 4}


def test_whatever_fails_in_reaching_hosts_or_bucket_is_reported_with_what_serves(world: World):
    with pytest.raises(ReleaseFailed, match="web2 does not answer") as failed:
        run(world.rollout, Recorder("one", [], SlipwayError("web2 does not answer")))
    assert "Release 4 serves as before." in failed.value.details[0]


def test_ctrl_c_undoes_and_says_what_serves(switched: World):
    with pytest.raises(ReleaseFailed, match=r"interrupted.*Release 4 serves as before"):
        run(switched.rollout, Recorder("one", [], KeyboardInterrupt()))
    assert switched.served() == {"web1": 4, "web2": 4}


def test_an_undo_that_fails_on_a_host_leaves_the_record_open_and_says_what_serves_where(switched: World):
    switched.holds("worker1", 5, 4)
    switched.add("worker1")
    switched.fails["web1", "switch"] = AgentError("web1", "not_warm", "release 4 is down")
    with pytest.raises(NeedsPerson, match=r"release 5 failed.*could not be undone on web1") as failed:
        run(switched.rollout, Recorder("one"), Recorder("two", [], ReleaseFailed("no")))
    assert switched.served() == {"web1": 5, "web2": 4, "worker1": 4}, "every host is tried by itself"
    assert switched.ledger.ended == []
    said = "\n".join(failed.value.details)
    assert "release 4 serves on web2, worker1; release 5 serves on web1" in said
    assert "web1: release 4 is down" in said
    assert "reachable" not in failed.value.remedy


def test_a_host_that_is_gone_is_named_in_the_remedy(switched: World):
    for command in ("status", "switch"):
        switched.fails["web1", command] = HostDown("web1", "refused", "")
    with pytest.raises(NeedsPerson) as failed:
        run(switched.rollout, Recorder("one", [], ReleaseFailed("no")))
    assert failed.value.remedy.startswith("make web1 reachable")
    assert switched.ledger.ended == []


def test_a_record_is_closed_only_if_every_host_says_that_nothing_is_left(
    switched: World, monkeypatch: pytest.MonkeyPatch
):
    def does_nothing(model: ModelHost, *_: object, **__: object) -> ModelHost:
        return model

    monkeypatch.setattr(ModelHost, "stop", does_nothing)
    with pytest.raises(NeedsPerson, match="could not be undone on web1, web2"):
        run(switched.rollout, Recorder("one", [], ReleaseFailed("no")))
    assert switched.ledger.ended == []


def test_what_an_aborted_step_sends_late_is_refused_once_its_undo_has_begun(switched: World):
    late = switched.rollout.next_order()
    with pytest.raises(ReleaseFailed):
        run(switched.rollout, Recorder("switch", [], KeyboardInterrupt()))
    for model in switched.models.values():
        with pytest.raises(Refused, match="fenced"):
            model.fenced(late.numbers)


def test_a_command_that_was_overtaken_undoes_nothing_and_says_what_serves_now(
    switched: World, monkeypatch: pytest.MonkeyPatch
):
    def lost() -> int:
        raise LeaseLost("this command no longer holds the lease")

    def newer(*_: object) -> Any:
        return SimpleNamespace(fence=12, owner="ops@laptop", command="slipway rollback", released=True)

    monkeypatch.setattr("slipway.release.phases.read_last_lease", newer)
    vars(switched.rollout.lease)["check"] = lost
    switched.ledger.live = 3
    for name in ("web1", "web2"):
        switched.holds(name, 3)
    with (
        pytest.raises(LeaseHeld, match=r"ops@laptop \(`slipway rollback`\) took over stack s") as failed,
        Phases(switched.rollout, release(5)) as phases,
    ):
        phases._begun.append(Recorder("switch"))  # pyright: ignore[reportPrivateUsage]
        raise lost_lease()
    assert failed.value.details[0] == "Release 3 serves now."
    assert not [command for _, command in switched.asked if command != "status"]
    assert switched.ledger.ended == []


@pytest.mark.parametrize("fails", [Preempted("this command no longer holds the lease"), KeyboardInterrupt()])
def test_a_promoted_release_that_was_pre_empted_does_not_say_that_it_is_live(
    world: World, fails: BaseException, monkeypatch: pytest.MonkeyPatch
):
    def newer(*_: object) -> Any:
        return SimpleNamespace(fence=12, owner="ops@laptop", command="slipway rollback", released=True)

    monkeypatch.setattr("slipway.release.phases.read_last_lease", newer)
    with pytest.raises(LeaseHeld, match="pre-empted: ops@laptop") as failed:
        run(world.rollout, world.last(Promote), Recorder("retire", [], fails))
    assert failed.value.exit_code == 3
    assert not [warning for warning in world.rollout.warnings if "is live all the same" in warning]


def test_a_release_whose_lease_expired_without_another_command_is_undone(switched: World):
    with pytest.raises(ReleaseFailed, match=r"no longer holds the lease\. undone"):
        run(
            switched.rollout,
            Recorder("switch", [], Preempted("this command no longer holds the lease")),
        )
    assert switched.ledger.ended == ["undone"]


def lost_lease() -> LeaseLost:
    return LeaseLost("this command no longer holds the lease")


def test_a_ledger_that_is_out_of_reach_does_not_hide_what_failed(
    switched: World, monkeypatch: pytest.MonkeyPatch
):
    def out_of_reach(*_: object) -> None:
        raise SlipwayError("the bucket does not answer")

    monkeypatch.setattr(Ledger, "end", out_of_reach)
    with pytest.raises(ReleaseFailed, match="web1 crashed") as failed:
        run(switched.rollout, Recorder("one", [], ReleaseFailed("web1 crashed")))
    assert switched.served() == {"web1": 4, "web2": 4}
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
    assert (trail, world.documents) == (["run switch"], [5, 4])
    assert world.served() == {"web1": 4, "web2": 4}


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
