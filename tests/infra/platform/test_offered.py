"""What the account's region does not offer is named before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from slipway.platforms.aws.offered import not_offered
from slipway.platforms.aws.session import session_of
from slipway.settings.aws import Aws
from tests.infra.platform import orderable
from tests.infra.platform.orderable import Orderable
from tests.infra.platform.world import ACCOUNT, REGION, World


@pytest.fixture
def rds(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Orderable]:
    with orderable.serve() as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL_RDS", served.url)
        yield served


def missing(world: World, **settings: Any) -> list[str]:
    aws = Aws.model_validate({"account": ACCOUNT, "region": REGION, **settings})
    stack = world.project.stack.model_copy(update={"aws": aws})
    return list(not_offered(session_of(world.project), stack, aws))


def test_the_defaults_are_offered(world: World, rds: Orderable) -> None:
    assert missing(world) == []
    assert missing(world, database={"version": "15"}) == []
    assert missing(world, database={"version": "16.10"}) == []


def test_a_zone_that_the_account_does_not_have_is_named_with_those_it_has(
    world: World, rds: Orderable
) -> None:
    found = missing(world, network={"zone_letters": "az"})
    assert any("us-east-1z: this account has us-east-1a," in each for each in found)
    assert any('zone_letters: "ab"' in each for each in found)


def test_an_instance_type_that_a_zone_does_not_have_is_named(world: World, rds: Orderable) -> None:
    [said] = missing(world, web={"type": "t9.huge"})
    assert said == "EC2 has no t9.huge in us-east-1a, us-east-1b: choose another type or other zones"


def test_a_version_or_class_that_rds_does_not_have_is_named(world: World, rds: Orderable) -> None:
    assert missing(world, database={"version": "18"}) == [
        "RDS has no db.t4g.medium for PostgreSQL 18 in us-east-1: it has it for 15, 16"
    ]
    assert missing(world, database={"version": "1"}) != []
    [said] = missing(world, database={"type": "db.m9x.large"})
    assert said.endswith("it does not have that class at all")


def test_a_class_in_one_zone_serves_a_database_without_a_standby_only(world: World, rds: Orderable) -> None:
    rds.offers = [("db.t4g.medium", "16.10", "us-east-1a us-east-1f")]
    [said] = missing(world)
    assert said == (
        "RDS has db.t4g.medium in us-east-1a, us-east-1f, and 2 of us-east-1a, us-east-1b must be there"
    )
    assert missing(world, database={"multi_az": False}) == []


def test_who_may_not_ask_is_not_stopped(world: World, rds: Orderable) -> None:
    rds.denied = True
    assert missing(world) == []
