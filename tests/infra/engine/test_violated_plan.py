"""The engine says "violates plan": what is left is judged again, and nothing that was not judged is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from pulumi.automation import CommandError, CommandResult, Stack

from slipway.platforms.pulumi import up as engine
from slipway.platforms.pulumi.plan import Plan, Step
from slipway.progress import Silent
from slipway.settings import BadInput, Project, SlipwayError

URN = "urn:pulumi:test::world::aws:ec2/vpc:Vpc::network"
OTHER = "urn:pulumi:test::world::aws:ec2/vpc:Vpc::other"
DATABASE = "urn:pulumi:test::world::aws:rds/instance:Instance::database"


class Engine:
    """An engine that refuses its plan as Pulumi does, and notes with which plan it was called."""

    def __init__(self, said: str) -> None:
        self.said, self.plans = said, list[str | None]()

    def up(self, *, plan: str | None = None, **_: Any) -> None:
        self.plans.append(plan)
        if plan is not None:
            raise CommandError(CommandResult("", self.said, 255))


def step(op: str, urn: str = URN) -> Step:
    return Step(op, urn, urn.split("::")[2])


def updated(project: Project, monkeypatch: pytest.MonkeyPatch, said: str, *plans: tuple[Step, ...]) -> Engine:
    """Update with an engine that says this, and sees these plans in turn."""
    left = list(plans)

    def preview(project: Project, stack: Stack, progress: Silent, file: Path) -> Plan:
        return Plan("world", "test", left.pop(0), file)

    monkeypatch.setattr(engine, "preview", preview)
    stand_in = Engine(said)
    engine._judged_update(  # pyright: ignore[reportPrivateUsage]
        project, cast("Stack", stand_in), Silent()
    )
    return stand_in


VIOLATED = "error: resource network violates plan: properties changed: ~~tags[…]"


def test_what_is_left_is_done_without_the_plan(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = updated(project, monkeypatch, VIOLATED, (step("create"),), (step("update"),))
    assert len(stand_in.plans) == 2
    assert stand_in.plans[1] is None


def test_a_resource_that_was_not_judged_stops_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="was not in the plan that was judged") as refused:
        updated(project, monkeypatch, VIOLATED, (step("update"),), (step("update", OTHER),))
    assert list(refused.value.details) == [f"update {OTHER}"]


def test_what_holds_data_is_judged_again_by_the_same_rules(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="would destroy"):
        updated(project, monkeypatch, VIOLATED, (step("update", DATABASE),), (step("replace", DATABASE),))


def test_another_failure_is_a_failure(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SlipwayError):
        updated(project, monkeypatch, "error: creating VPC: VpcLimitExceeded", (step("create"),))
