"""What a fresh account lacks: linked roles are made, and a stack without room is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slipway.platforms.aws.account import LINKED_SERVICES, make_linked_roles, refuse_small_account
from slipway.platforms.aws.session import session_of
from slipway.progress import Silent
from slipway.settings import BadInput
from slipway.settings.aws import Aws
from tests.infra.platform import orderable
from tests.infra.platform.fake_aws import FakeAws, serve
from tests.infra.platform.world import ACCOUNT, REGION, World

Quotas = Callable[[float], FakeAws]


@pytest.fixture
def quotas(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Service Quotas with room for everything; the account is on no plan."""
    with serve() as fake, orderable.serve() as rds:
        monkeypatch.setenv("AWS_ENDPOINT_URL_RDS", rds.url)
        fake.answers["GetServiceQuota"] = lambda asked: {"Quota": {"Value": 64.0}}
        fake.answers["GetAccountPlanState"] = fake.refusing("ResourceNotFoundException")
        monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", fake.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_FREETIER", fake.url)
        yield fake


def allowed(fake: FakeAws, **values: float) -> None:
    """Quotas by code, with a hyphen in place of the underscore."""
    known = {code.replace("_", "-"): value for code, value in values.items()}
    fake.answers["GetServiceQuota"] = lambda asked: {"Quota": {"Value": known.get(asked["QuotaCode"], 64.0)}}


def test_linked_roles_are_made_once(world: World) -> None:
    session = session_of(world.project)
    make_linked_roles(session, Silent())
    made = world.client("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"]
    assert {role["Path"] for role in made} == {f"/aws-service-role/{each}/" for each in LINKED_SERVICES}


def test_a_role_that_is_there_is_no_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of(world.project)
    make_linked_roles(session, Silent())
    make_linked_roles(session, Silent())


def test_an_account_with_room_is_taken(world: World, quotas: FakeAws) -> None:
    refuse_small_account(session_of(world.project), world.project.stack)


def test_the_quotas_of_a_new_account_are_named(world: World, quotas: FakeAws) -> None:
    allowed(quotas, L_1216C47A=5, L_0263D0A3=1, L_F678F1CE=1)
    with pytest.raises(BadInput) as refused:
        refuse_small_account(session_of(world.project), world.project.stack)
    said = "\n".join(refused.value.details)
    # Three web hosts and two workers of two vCPUs each, one of each role more than the least.
    assert (
        "vCPUs of running on-demand standard instances: 10 more are needed, 0 are used, 5 are allowed" in said
    )
    assert "elastic IP addresses: 2 more are needed, 0 are used, 1 are allowed" in said
    assert "VPCs: 1 more are needed, 1 are used, 1 are allowed" in said


def test_what_aws_does_not_offer_is_refused(world: World, quotas: FakeAws) -> None:
    aws = Aws.model_validate({"account": ACCOUNT, "region": REGION, "web": {"type": "t9.huge"}})
    stack = world.project.stack.model_copy(update={"aws": aws})
    with pytest.raises(BadInput, match="does not offer") as refused:
        refuse_small_account(session_of(world.project), stack)
    assert any("t9.huge" in each for each in refused.value.details)


def test_the_free_plan_is_refused(world: World, quotas: FakeAws) -> None:
    quotas.answers["GetAccountPlanState"] = lambda asked: {"accountPlanType": "FREE"}
    with pytest.raises(BadInput) as refused:
        refuse_small_account(session_of(world.project), world.project.stack)
    assert any("free plan" in each for each in refused.value.details)


def test_a_role_that_may_not_read_quotas_goes_on(world: World, quotas: FakeAws) -> None:
    quotas.answers["GetServiceQuota"] = quotas.refusing("AccessDeniedException")
    refuse_small_account(session_of(world.project), world.project.stack)
