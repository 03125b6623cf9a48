"""What a stack wants proved after the switch is proved, or the release fails and is undone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slipway import checking
from slipway.release.migrate import Schema
from slipway.release.phases import Phases
from slipway.release.preflight import proof
from slipway.release.promote import Promote
from slipway.release.prove import Prove, wanted_by
from slipway.release.rollout import Options, Phase, Rollout
from slipway.settings import Prove as Wanted, ReleaseFailed, SlipwayError
from slipway.traffic import command
from slipway.traffic.command import LoadOutcome
from slipway.traffic.results import ExitCode
from tests.unit.release.conftest import SECRET, World, release

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

    def put_under_load(self, _: object, load: command.LoadOptions, *, output: Any) -> LoadOutcome:
        self.asked.append(f"load {load.profile} {load.seconds} {load.i_know}")
        output.write("it is slow\n")
        output.flush()
        assert load.folder
        (load.folder / "results.json").write_text(json.dumps({"thresholds": self.misses}))
        return LoadOutcome(load.folder, self.load, interrupted=self.interrupted)


def without_locust(name: str) -> object:
    return None if name == "locust" else object()


@pytest.fixture
def proofs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proofs:
    made = Proofs(tmp_path)
    monkeypatch.setattr(checking, "run", made.check)
    monkeypatch.setattr(command, "run", made.put_under_load)
    return made


class Serving(Phase[None]):
    """The switch, on all hosts at once."""

    name = undoing = "switch"

    def __init__(self, world: World) -> None:
        self.world = world

    def run(self, rollout: Rollout) -> None:
        self.world.models |= {name: model.do("switch", 5) for name, model in self.world.models.items()}


class Shipping:
    """A release whose switch is done, and which must prove itself before it is promoted."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.options, self.switch = world, Options(), Serving(world)
        self.project: Any = SimpleNamespace(**vars(world.stack.project), state_dir=folder)
        self.want(Wanted(checks="high", load="smoke"))
        world.stack.project = self.project

    def want(self, wanted: Wanted) -> None:
        self.project.stack = SimpleNamespace(name="s", prove=wanted)

    @property
    def rollout(self) -> Rollout:
        return replace(self.world.rollout, options=self.options)

    def ship(self) -> None:
        with Phases(self.rollout, release(5)) as phases:
            phases.run(self.switch)
            phases.run(Prove(self.world.shipment))
            phases.run(Promote(self.world.shipment, Schema(None, {})))

    @property
    def state(self) -> tuple[int, int]:
        """The release that serves, and the one that the head names."""
        (serves,) = set(self.world.served().values())
        assert serves
        return serves, self.world.ledger.live


@pytest.fixture
def shipping(world: World, tmp_path: Path) -> Shipping:
    return Shipping(world, tmp_path)


def test_what_passes_is_promoted_and_the_ledger_knows_what_was_proved(shipping: Shipping, proofs: Proofs):
    shipping.ship()
    assert proofs.asked == ["checks high", "load smoke None True"]
    assert shipping.state == (5, 5)
    done = next(
        detail for phase, what, detail in shipping.world.ledger.events if (phase, what) == ("prove", "done")
    )
    assert done == {"checks": {"pass": 1}, "load": {"profile": "smoke", "exit_code": 0}}


def test_a_check_that_fails_sends_the_release_back_and_is_named_with_host_and_report(
    shipping: Shipping, proofs: Proofs
):
    proofs.checks.append(FAILED)
    with pytest.raises(ReleaseFailed, match="release 5 did not prove itself: 1 check failed") as failed:
        shipping.ship()
    assert (*shipping.state, shipping.world.ledger.ended) == (4, 4, ["undone"])
    assert proofs.asked == ["checks high"], "a load test of what is wrong proves nothing"
    shown = "\n".join(failed.value.details)
    assert "X3/the-api-docs-are-hidden on web1: GET /docs answers 200 with ***" in shown
    assert str(proofs.folder / "checks" / "report.html") in shown
    assert "Release 4 serves as before." in shown
    assert ("prove", "failed") in [(phase, what) for phase, what, _ in shipping.world.ledger.events]


def test_checks_that_could_not_run_prove_nothing_and_their_last_lines_are_shown(
    shipping: Shipping, proofs: Proofs
):
    proofs.checks = []
    with pytest.raises(ReleaseFailed, match="the checks proved nothing") as failed:
        shipping.ship()
    assert "could not connect" in failed.value.details
    assert shipping.state == (4, 4)


@pytest.mark.parametrize("code", [code for code in ExitCode if code is not ExitCode.PASSED])
def test_load_that_is_not_carried_or_proves_nothing_sends_the_release_back(
    shipping: Shipping, proofs: Proofs, code: ExitCode
):
    proofs.load, proofs.misses = code, [MISSED]
    with pytest.raises(ReleaseFailed, match=r"load test, profile smoke") as failed:
        shipping.ship()
    assert code.meaning in failed.value.message
    assert "HTTP GET /: p95 900 ms (500 ms)" in failed.value.details
    assert shipping.state == (4, 4)


def test_a_load_test_that_ends_without_a_report_sends_the_release_back(
    shipping: Shipping, proofs: Proofs, monkeypatch: pytest.MonkeyPatch
):
    def breaks(*_: object, **__: object) -> LoadOutcome:
        raise SlipwayError("the load generator ended without a report")

    monkeypatch.setattr(command, "run", breaks)
    with pytest.raises(ReleaseFailed, match="ended without a report"):
        shipping.ship()
    assert shipping.state == (4, 4)


def test_ctrl_c_during_the_load_test_is_an_interruption(shipping: Shipping, proofs: Proofs):
    proofs.interrupted, proofs.load = True, ExitCode.NO_DATA
    with pytest.raises(ReleaseFailed, match="interrupted"):
        shipping.ship()
    assert shipping.state == (4, 4)


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
    shipping: Shipping, proofs: Proofs, stack: Wanted, asked: bool | None, expected: Wanted
):
    shipping.want(stack)
    shipping.options = Options(prove=asked)
    assert wanted_by(shipping.rollout) == expected
    shipping.ship()
    assert bool(proofs.asked) is not expected.asks_nothing


def test_what_cannot_be_proved_from_here_is_found_before_anything_is_touched(
    shipping: Shipping, monkeypatch: pytest.MonkeyPatch
):
    assert list(proof(shipping.rollout)) == []
    monkeypatch.setattr("importlib.util.find_spec", without_locust)
    (problem,) = proof(shipping.rollout)
    assert "locust is not installed" in problem.text
    assert problem.refuses
    shipping.options = Options(prove=False)
    assert list(proof(shipping.rollout)) == []
