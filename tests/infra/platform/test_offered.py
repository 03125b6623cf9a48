"""What the account's region does not offer is named before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from slipway.platforms.aws.offered import choose_zones, not_offered
from slipway.platforms.aws.session import session_of
from slipway.settings import BadInput
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
    found = missing(world, network={"zone_ids": ["use1-az1", "use1-az9"]})
    assert any("zone use1-az9: this account has use1-az1, use1-az2," in each for each in found)
    assert any("slipway bootstrap --stack prod writes others" in each for each in found)


def test_an_instance_type_that_a_zone_does_not_have_is_named(world: World, rds: Orderable) -> None:
    [said] = missing(world, web={"type": "t9.huge"})
    assert said == "EC2 has no t9.huge in use1-az1, use1-az2: choose another type or other zones"


def test_a_version_or_class_that_rds_does_not_have_is_named(world: World, rds: Orderable) -> None:
    assert missing(world, database={"version": "18"}) == [
        "RDS has no db.t4g.medium for PostgreSQL 18 in us-east-1: it has it for 15, 16"
    ]
    assert missing(world, database={"version": "1"}) != []
    [said] = missing(world, database={"type": "db.m9x.large"})
    assert said.endswith("it does not have that class at all")


def test_a_class_in_one_zone_serves_a_database_without_a_standby_only(world: World, rds: Orderable) -> None:
    rds.offers = [("db.t4g.medium", "16.10", "us-east-1b us-east-1f")]
    [said] = missing(world)
    assert said == "RDS has db.t4g.medium in use1-az1, and 2 of use1-az1, use1-az2 must be there"
    assert missing(world, database={"multi_az": False}) == []


def chosen(world: World, **settings: Any) -> list[str]:
    aws = Aws.model_validate({"account": ACCOUNT, "region": REGION, **settings})
    stack = world.project.stack.model_copy(update={"aws": aws})
    return choose_zones(session_of(world.project), stack, aws)


def test_the_first_zones_that_have_all_are_chosen_by_id(world: World, rds: Orderable) -> None:
    assert chosen(world) == ["use1-az1", "use1-az2"]
    rds.offers = [("db.t4g.medium", "16.10", "us-east-1b us-east-1d us-east-1f us-east-1e")]
    assert chosen(world) == ["use1-az1", "use1-az4"], "d is use1-az4 in this account"


def test_a_zone_without_the_hosts_type_is_left_out(world: World, rds: Orderable) -> None:
    rds.offers = []
    assert chosen(world, web={"type": "m7g.large"}, worker={"type": "m7g.large"}) == ["use1-az1", "use1-az2"]
    with pytest.raises(BadInput, match="us-east-1 has 0 zones for stack prod") as refused:
        chosen(world, web={"type": "t9.huge"})
    assert "use1-az1: not for t9.huge" in refused.value.details


def test_subnets_that_exist_keep_their_zones_and_their_order(world: World, rds: Orderable) -> None:
    ec2 = world.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    for number, (letter, zone) in enumerate((("b", "use1-az2"), ("a", "use1-az6"))):
        tags = {"slipway:fleet": "board-prod", "Name": f"board-prod-private-{letter}"}
        spec = {"ResourceType": "subnet", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
        where = {"VpcId": vpc, "CidrBlock": f"10.20.{number}.0/24", "AvailabilityZoneId": zone}
        ec2.create_subnet(**where, TagSpecifications=[spec])
    assert chosen(world) == ["use1-az6", "use1-az2"]
    assert chosen(world, network={"zones": 3}) == ["use1-az6", "use1-az2", "use1-az1"]


def test_who_may_not_ask_is_not_stopped(world: World, rds: Orderable) -> None:
    rds.denied = True
    assert missing(world) == []
