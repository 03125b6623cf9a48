"""What a stack wants proved after the switch is proved, or the release fails and the engine takes it back."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slipway import checking
from slipway.progress import Silent
from slipway.release.engine import execute
from slipway.release.observe import ObservePhase
from slipway.release.phase import Phase
from slipway.release.promote import Promote
from slipway.release.prove import Prove, missing_tools, wanted_by
from slipway.release.rollout import Options, Rollout
from slipway.release.ship import PHASES
from slipway.release.switch import Switch
from slipway.settings.errors import ReleaseFailed, SlipwayError
from slipway.settings.stack import Prove as Wanted
from slipway.traffic import command
from slipway.traffic.command import Loaded
from slipway.traffic.results import ExitCode

SECRET = "hunter2-hunter2"
FAILED = {
    "verdict": "fail",
    "id": "X3/the-api-docs-are-hidden",
    "host": "web1",
    "reason": f"GET /docs answers 200 with {SECRET}",
    "remedy": "leave them out in production",
}
MISSED = {
    "kind": "HTTP",
    "name": "GET /",
    "measure": "p95",
    "verdict": "fail",
    "found": "900 ms",
    "limit": "500 ms",
}


class Proofs:
    """What the checks and the load test will find, and which of them were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.checks: list[dict[str, str]] = [{"verdict": "pass"}]
        self.load = ExitCode.PASSED
        self.misses: list[dict[str, str]] = []
        self.interrupted = False

    def check(self, _: object, *, severity: str, folder: Path, output: Any) -> checking.Checked:
        self.asked.append(f"checks {severity}")
        output.write("could not connect\n")
        output.flush()
        if self.checks:
            (folder / "results.json").write_text(json.dumps({"results": self.checks}))
        bad = not self.checks or any(each["verdict"] == "fail" for each in self.checks)
        return checking.Checked(folder, int(bad))

    def put_under_load(self, _: object, load: command.Load, *, output: Any) -> Loaded:
        self.asked.append(f"load {load.profile} {load.seconds} {load.i_know}")
        output.write("it is slow\n")
        output.flush()
        assert load.folder
        (load.folder / "results.json").write_text(json.dumps({"findings": self.misses}))
        return Loaded(load.folder, self.load, interrupted=self.interrupted)


class Ledger:
    def __init__(self, rollout: Any) -> None:
        self.rollout = rollout

    def event(self, _: int, phase: str, what: str, detail: object) -> None:
        self.rollout.events.append((phase, what, detail))

    def end(self, _: int, how: str) -> None:
        self.rollout.ended.append(how)


def hidden(text: str) -> str:
    return text.replace(SECRET, "***")


def without_locust(name: str) -> object:
    return None if name == "locust" else object()


@pytest.fixture
def proofs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proofs:
    made = Proofs(tmp_path)
    monkeypatch.setattr(checking, "run", made.check)
    monkeypatch.setattr(command, "run", made.put_under_load)
    return made


@pytest.fixture
def rollout(tmp_path: Path) -> Any:
    made: Any = Rollout.__new__(Rollout)
    made.events, made.ended = [], []
    made.progress, made.warnings, made.detail = Silent(), [], {}
    made.lease = SimpleNamespace(check=lambda: 7)
    made.release = made.record = SimpleNamespace(number=5)
    made.redactor = SimpleNamespace(text=hidden)
    made.head, made.options = SimpleNamespace(live=4), Options()
    made.project = SimpleNamespace(
        state_dir=tmp_path, stack=SimpleNamespace(prove=Wanted(checks="high", load="smoke"))
    )
    made.ledger = Ledger(made)
    return made


class Switched(Phase):
    """Stands for the switch: remembers that it was taken back."""

    name = "switch"

    def run(self, rollout: Any) -> None:
        rollout.serves = 5

    def undo(self, rollout: Any) -> None:
        rollout.serves = 4


class Promoted(Phase):
    name = "promote"

    def run(self, rollout: Any) -> None:
        rollout.promoted = 5


def ship(rollout: Any) -> None:
    rollout.promoted = None
    execute(rollout, [Switched(), Prove(), Promoted()])


def test_a_release_is_proved_after_users_got_it_and_before_it_is_the_last_known_good():
    order = [PHASES.index(phase) for phase in (Switch, ObservePhase, Prove, Promote)]
    assert order == sorted(order)


def test_what_passes_is_promoted_and_the_ledger_knows_what_was_proved(rollout: Any, proofs: Proofs):
    ship(rollout)
    assert proofs.asked == ["checks high", "load smoke None True"]
    assert (rollout.serves, rollout.promoted) == (5, 5)
    done = next(detail for phase, what, detail in rollout.events if (phase, what) == ("prove", "done"))
    assert done == {"checks": {"pass": 1}, "load": {"profile": "smoke", "exit_code": 0}}


def test_a_check_that_fails_sends_the_release_back_and_is_named_with_host_and_report(
    rollout: Any, proofs: Proofs
):
    proofs.checks.append(FAILED)
    with pytest.raises(ReleaseFailed, match="release 5 did not prove itself: 1 check failed") as failed:
        ship(rollout)
    assert (rollout.serves, rollout.promoted, rollout.ended) == (4, None, ["undone"])
    assert proofs.asked == ["checks high"], "a load test of what is wrong proves nothing"
    told = "\n".join(failed.value.details)
    assert "X3/the-api-docs-are-hidden on web1: GET /docs answers 200 with ***" in told
    assert str(proofs.folder / "checks" / "report.html") in told
    assert "Release 4 serves as before." in told
    assert ("prove", "failed") in [(phase, what) for phase, what, _ in rollout.events]


def test_checks_that_could_not_run_prove_nothing_and_their_last_words_are_told(rollout: Any, proofs: Proofs):
    proofs.checks = []
    with pytest.raises(ReleaseFailed, match="the checks proved nothing") as failed:
        ship(rollout)
    assert "could not connect" in failed.value.details
    assert rollout.serves == 4


@pytest.mark.parametrize("code", [code for code in ExitCode if code is not ExitCode.PASSED])
def test_load_that_is_not_carried_or_proves_nothing_sends_the_release_back(
    rollout: Any, proofs: Proofs, code: ExitCode
):
    proofs.load, proofs.misses = code, [MISSED]
    with pytest.raises(ReleaseFailed, match=r"load test, profile smoke") as failed:
        ship(rollout)
    assert code.meaning in failed.value.message
    assert "HTTP GET /: p95 900 ms (500 ms)" in failed.value.details
    assert rollout.serves == 4


def test_a_load_test_that_ends_without_a_report_sends_the_release_back(
    rollout: Any, proofs: Proofs, monkeypatch: pytest.MonkeyPatch
):
    def breaks(*_: object, **__: object) -> Loaded:
        raise SlipwayError("the load generator ended without a report")

    monkeypatch.setattr(command, "run", breaks)
    with pytest.raises(ReleaseFailed, match="ended without a report"):
        ship(rollout)
    assert rollout.serves == 4


def test_ctrl_c_during_the_load_test_is_an_interruption(rollout: Any, proofs: Proofs):
    proofs.interrupted, proofs.load = True, ExitCode.NO_DATA
    with pytest.raises(ReleaseFailed, match="interrupted"):
        ship(rollout)
    assert rollout.serves == 4


@pytest.mark.parametrize(
    ("stack", "asked", "expected"),
    [
        (Wanted(), None, Wanted()),
        (Wanted(), True, Wanted(checks="high", load="smoke")),
        (Wanted(checks="low"), True, Wanted(checks="low")),
        (Wanted(checks="low", load="expected"), False, Wanted()),
    ],
)
def test_the_stack_says_what_is_proved_and_the_person_whether(
    rollout: Any, proofs: Proofs, stack: Wanted, asked: bool | None, expected: Wanted
):
    rollout.project.stack.prove, rollout.options = stack, Options(prove=asked)
    assert wanted_by(rollout) == expected
    ship(rollout)
    assert bool(proofs.asked) is not expected.asks_nothing


def test_what_cannot_be_proved_from_here_is_found_before_anything_is_touched(
    rollout: Any, monkeypatch: pytest.MonkeyPatch
):
    assert list(missing_tools(rollout)) == []
    monkeypatch.setattr("importlib.util.find_spec", without_locust)
    (finding,) = missing_tools(rollout)
    assert "locust is not installed" in finding.text
    assert finding.refuses
    rollout.options = Options(prove=False)
    assert list(missing_tools(rollout)) == []
