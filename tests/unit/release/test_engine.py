"""The engine's promise: what fails is undone in reverse, and the person is told how the fleet is."""

from types import SimpleNamespace
from typing import Any

import pytest

from slipway.progress import Silent
from slipway.release.engine import execute
from slipway.release.phase import Phase
from slipway.release.promote import Promote
from slipway.release.rollback import ReturnTo
from slipway.release.rollout import Rollout
from slipway.settings.errors import BadInput, NeedsPerson, ReleaseFailed, SlipwayError


class Recorder(Phase):
    """A phase that writes down what is done to it, and fails as told."""

    def __init__(self, name: str, trail: list[str], fails: BaseException | None = None) -> None:
        type(self).name = name
        self.label, self.trail, self.fails = name, trail, fails

    def run(self, rollout: Rollout) -> None:
        self.trail.append(f"run {self.label}")
        if self.fails:
            raise self.fails

    def undo(self, rollout: Rollout) -> None:
        self.trail.append(f"undo {self.label}")


class CannotUndo(Recorder):
    def undo(self, rollout: Rollout) -> None:
        super().undo(rollout)
        raise NeedsPerson("web2 did not go back", remedy="start web2")


class Ledger:
    def __init__(self) -> None:
        self.ended: list[tuple[int, str]] = []
        self.live = 4
        self.fails: BaseException | None = None
        """Raised when the head has moved: the answer is lost, or a person presses Ctrl-C just then."""
        self.readable = True

    def promote(self, number: int, **_: object) -> Any:
        self.live = number
        if self.fails:
            raise self.fails
        return self.head()

    def roll_back(self, target: int, **_: object) -> Any:
        return self.promote(target)

    def head(self) -> Any:
        if not self.readable:
            raise SlipwayError("the bucket does not answer")
        return SimpleNamespace(live=self.live)

    def get(self, number: int) -> Any:
        return SimpleNamespace(number=number)

    def event(self, *_: object) -> None: ...

    def end(self, number: int, how: str) -> None:
        self.ended.append((number, how))


@pytest.fixture
def rollout() -> Any:
    made: Any = Rollout.__new__(Rollout)
    made.progress, made.ledger, made.warnings, made.detail = Silent(), Ledger(), [], {}
    made.lease = SimpleNamespace(check=lambda: 7)
    made.release = made.record = SimpleNamespace(number=5)
    made.redactor = SimpleNamespace(text=str)
    made.head = SimpleNamespace(live=4)
    return made


def test_phases_run_in_order_and_nothing_is_undone_when_all_is_well(rollout: Any):
    trail: list[str] = []
    execute(rollout, [Recorder("one", trail), Recorder("two", trail)])
    assert trail == ["run one", "run two"]
    assert rollout.ledger.ended == []


def test_a_failure_undoes_the_failed_phase_and_those_before_in_reverse(rollout: Any):
    trail: list[str] = []
    with pytest.raises(ReleaseFailed) as failed:
        execute(
            rollout,
            [
                Recorder("one", trail),
                Recorder("two", trail, ReleaseFailed("web1 crashed")),
                Recorder("three", trail),
            ],
        )
    assert trail == ["run one", "run two", "undo two", "undo one"]
    assert failed.value.message == "web1 crashed"
    assert "Release 4 serves as before." in failed.value.details[-1]
    assert rollout.ledger.ended == [(5, "undone")]


def test_whatever_fails_in_reaching_hosts_or_bucket_is_told_with_what_serves(rollout: Any):
    with pytest.raises(ReleaseFailed, match="web2 does not answer") as failed:
        execute(rollout, [Recorder("one", [], SlipwayError("web2 does not answer"))])
    assert "Release 4 serves as before." in failed.value.details[-1]


def test_ctrl_c_undoes_and_says_what_serves(rollout: Any):
    trail: list[str] = []
    with pytest.raises(ReleaseFailed, match=r"interrupted.*Release 4 serves as before"):
        execute(rollout, [Recorder("one", trail, KeyboardInterrupt())])
    assert trail == ["run one", "undo one"]


def test_an_undo_that_fails_needs_a_person_and_the_record_stays_open_for_recovery(rollout: Any):
    trail: list[str] = []
    with pytest.raises(NeedsPerson, match="web2 did not go back"):
        execute(rollout, [Recorder("one", trail), CannotUndo("two", trail, ReleaseFailed("no"))])
    assert trail[-1] == "undo one", "the other phases must be undone all the same"
    assert rollout.ledger.ended == []


def test_a_ledger_that_is_out_of_reach_does_not_hide_what_failed(rollout: Any):
    def out_of_reach(*_: object) -> None:
        raise SlipwayError("the bucket does not answer")

    trail: list[str] = []
    phase = Recorder("one", trail, ReleaseFailed("web1 crashed"))
    rollout.ledger.end = out_of_reach
    with pytest.raises(ReleaseFailed, match="web1 crashed") as failed:
        execute(rollout, [phase])
    assert trail == ["run one", "undo one"]
    assert "the bucket does not answer" in failed.value.details[-1]


def test_bad_input_stays_bad_input(rollout: Any):
    rollout.record = None
    with pytest.raises(BadInput):
        execute(rollout, [Recorder("preflight", [], BadInput("a secret is missing"))])


# after the head has moved


@pytest.fixture
def promoting(rollout: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ready to be promoted; `documents` are the releases that new hosts were told to start."""
    rollout.build = SimpleNamespace(manifest=SimpleNamespace(schema_head="7"))
    rollout.documents = []
    for module in ("promote", "rollback"):
        monkeypatch.setattr(f"slipway.release.{module}.take_in_joiners", lambda *_, **__: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]

    def keep(rollout: Any, release: Any) -> None:
        rollout.documents.append(release.number)

    monkeypatch.setattr("slipway.release.promoted.keep_boot_documents", keep)
    return rollout


@pytest.mark.parametrize("last", [Promote, ReturnTo])
@pytest.mark.parametrize("fails", [KeyboardInterrupt(), SlipwayError("web1 does not answer")])
def test_once_promoted_nothing_is_undone(promoting: Any, last: type[Phase], fails: BaseException):
    trail: list[str] = []
    execute(promoting, [Recorder("switch", trail), last(), Recorder("retire", trail, fails)])
    assert trail == ["run switch", "run retire"]
    assert (promoting.ledger.ended, promoting.documents) == ([], [5])
    assert "release 5 is live" in promoting.warnings[-1].lower()


@pytest.mark.parametrize("last", [Promote, ReturnTo])
@pytest.mark.parametrize("lost", [KeyboardInterrupt(), SlipwayError("the answer was lost")])
def test_a_head_that_moved_without_our_hearing_of_it_counts(
    promoting: Any, last: type[Phase], lost: BaseException
):
    trail: list[str] = []
    promoting.ledger.fails = lost
    execute(promoting, [Recorder("switch", trail), last()])
    assert (trail, promoting.documents, promoting.live) == (["run switch"], [5], 5)


@pytest.mark.parametrize("last", [Promote, ReturnTo])
def test_a_head_that_did_not_move_is_undone_and_new_hosts_are_told(
    promoting: Any, last: type[Phase], monkeypatch: pytest.MonkeyPatch
):
    def refused(*_: object, **__: object) -> None:
        raise SlipwayError("the lease was lost")

    trail: list[str] = []
    for write in ("promote", "roll_back"):
        monkeypatch.setattr(Ledger, write, refused)
    with pytest.raises(ReleaseFailed, match="the lease was lost"):
        execute(promoting, [Recorder("switch", trail), last()])
    assert (trail, promoting.documents) == (["run switch", "undo switch"], [5, 4])


@pytest.mark.parametrize("last", [Promote, ReturnTo])
def test_a_head_that_cannot_be_read_is_left_for_the_next_command_to_settle(promoting: Any, last: type[Phase]):
    trail: list[str] = []
    promoting.ledger.fails = SlipwayError("the answer was lost")
    promoting.ledger.readable = False
    with pytest.raises(NeedsPerson, match="not known whether release 5"):
        execute(promoting, [Recorder("switch", trail), last()])
    assert (trail, promoting.documents) == (["run switch"], [5])
