"""The order of a release's phases."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from slipway.progress import Silent
from slipway.release import ship
from slipway.release.phases import Phases
from slipway.release.recover import Recovered
from slipway.release.rollout import Options, Phase, Rollout
from slipway.stack import LiveStack
from tests.unit.release.conftest import World


def test_a_release_is_proved_after_users_got_it_and_before_it_is_the_last_known_good(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    ran: list[str] = []

    def run(_: Phases, phase: Phase[Any]) -> Any:
        ran.append(phase.name)
        return SimpleNamespace(shipment=world.shipment, web={})

    def lease(*_: object, **__: object) -> Any:
        return nullcontext(world.rollout.lease)

    def opened(*_: object) -> Rollout:
        return world.rollout

    def nothing_reported(*_: object) -> None: ...

    monkeypatch.setattr(Phases, "run", run)
    monkeypatch.setattr(Phases, "report", nothing_reported)
    monkeypatch.setattr(LiveStack, "lease", lease)
    monkeypatch.setattr(ship, "refuse_held", nothing_reported)
    monkeypatch.setattr(ship, "open_rollout", opened)
    monkeypatch.setattr(ship, "recover", Recovered)
    ship.ship(world.stack, Options(), Silent())
    assert ran == [
        *("preflight", "build", "publish", "migrate", "stage", "boot", "smoke"),
        *("switch", "observe", "prove", "promote", "retire"),
    ]
