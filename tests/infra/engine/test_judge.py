"""What is refused of a plan."""

from __future__ import annotations

import importlib

import pytest

from slipway.platforms.pulumi.plan import DESTROYING, STATEFUL, Plan, Step, judge, unread

DATABASE = "aws:rds/instance:Instance"


def step(op: str, token: str = DATABASE, name: str = "database", **more: object) -> Step:
    return Step(op=op, urn=f"urn:pulumi:prod::board::{token}::{name}", type=token, **more)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("op", sorted(DESTROYING))
@pytest.mark.parametrize("token", sorted(STATEFUL))
def test_nothing_stateful_is_destroyed_unapproved(op: str, token: str) -> None:
    refused = judge([step(op, token)])
    assert [refusal.approvable for refusal in refused] == [True]
    assert STATEFUL[token] in refused[0].why
    assert judge([step(op, token)], {step(op, token).urn}) == []


@pytest.mark.parametrize("op", ["create", "update", "same", "refresh", "read", "import"])
def test_what_stays_is_not_refused(op: str) -> None:
    assert judge([step(op, was_protected=True)]) == []


def test_what_holds_nothing_may_go() -> None:
    assert judge([step("delete", "aws:lb/listener:Listener", "https")]) == []


def test_a_component_is_judged_by_its_children() -> None:
    assert judge([step("delete", "slipway:aws:Database", custom=False, was_protected=True)]) == []


def test_unprotecting_and_replacing_in_one_update_cannot_be_approved() -> None:
    sneaky = step("replace", was_protected=True, is_protected=False, keys=("engine",))
    refused = judge([sneaky], {sneaky.urn})
    assert [refusal.approvable for refusal in refused] == [False]
    assert "lose its protection" in refused[0].why
    assert "engine" in refused[0].why


def test_an_approval_of_one_resource_is_none_of_another() -> None:
    database, bucket = step("delete"), step("delete", "aws:s3/bucket:Bucket", "uploads")
    assert [refusal.name for refusal in judge([database, bucket], {database.urn})] == ["uploads"]


def test_a_replacement_is_told_once_and_with_its_cause() -> None:
    steps = [
        step("create-replacement", logical=False, keys=("identifier",)),
        step("replace", keys=("identifier",)),
        step("delete-replaced", logical=False),
    ]
    refused = judge(steps)
    assert [(refusal.what, refusal.why) for refusal in refused] == [
        ("replace", "with it goes the database and its automated backups (changed: identifier)")
    ]


@pytest.mark.parametrize("token", sorted(token for token in STATEFUL if token[:3] in ("aws", "clo")))
def test_the_table_names_types_that_the_providers_make(token: str) -> None:
    package, place, kind = token.split(":")
    module = place.partition("/")[0]
    path = f"pulumi_{package}" if module == "index" else f"pulumi_{package}.{module}"
    resource = getattr(importlib.import_module(path), kind)
    assert resource.pulumi_type == token


def test_a_preview_that_was_not_read_in_full_is_noticed() -> None:
    steps = [step("create"), step("delete", name="other")]
    assert unread(steps, {"create": 1, "delete": 1, "same": 9}) == []
    assert unread(steps, {"create": 1, "delete": 2}) == ["delete"]
    assert unread(steps, {"create": 1}) == ["delete"]
    assert unread(steps, {"create": 1, "delete": 1, "novel": 1}) == ["novel"]


@pytest.mark.parametrize(
    "other",
    [
        step("delete", keys=("engine",), id="db-1"),
        step("replace", keys=("region",), id="db-1"),
        step("replace", keys=("engine",), id="db-2"),
        step("replace", keys=("engine",), id="db-1", inputs="other"),
        step("replace", keys=("engine",), id="db-1", was_protected=True),
    ],
    ids=["op", "keys", "id", "inputs", "protection"],
)
def test_another_plan_has_another_digest(other: Step) -> None:
    first = Plan("board", "prod", (step("replace", keys=("engine",), id="db-1"),))
    assert Plan("board", "prod", (other,)).digest != first.digest
    assert Plan("board", "preview", first.steps).digest != first.digest


def test_what_stays_and_the_order_do_not_change_the_digest() -> None:
    one, two, same = step("delete"), step("create", name="other"), step("same", name="third")
    assert Plan("b", "p", (one, two)).digest == Plan("b", "p", (two, same, one)).digest
