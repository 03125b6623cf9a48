from dataclasses import replace
from typing import Any

import pytest

from slipway.platforms.aws import up as health
from slipway.platforms.aws.open import builds_bucket, cloud_of, with_hosts
from slipway.platforms.aws.session import session_of
from slipway.platforms.aws.up import unhealthy, wait_for_targets
from slipway.platforms.site import site_problem
from slipway.progress import Silent
from slipway.settings import NeedsPerson, Outputs
from tests.infra.platform.world import World


@pytest.fixture
def outputs(world: World) -> Outputs:
    """Two web hosts, and a target group that knows the first of them."""
    ec2, elb = world.client("ec2"), world.client("elbv2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = elb.create_target_group(Name="board-prod", Protocol="HTTP", Port=8080, VpcId=vpc)["TargetGroups"][
        0
    ]
    arn = group["TargetGroupArn"]
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]][:2]
    balancer = elb.create_load_balancer(Name="board-prod", Subnets=subnets)["LoadBalancers"][0]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )  # fmt: skip
    made = world.provision(target_group=arn)
    first, _ = world.launch("web", 2)
    world.launch("worker", 1)
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": first}])
    return with_hosts(world.project, made).outputs


def register(world: World, outputs: Outputs) -> None:
    world.client("elbv2").register_targets(
        TargetGroupArn=cloud_of(outputs).target_group,
        Targets=[{"Id": host.ssh_host} for host in outputs.by_role("web")],
    )


def test_every_web_host_must_be_a_healthy_target_and_no_worker(world: World, outputs: Outputs):
    session, cloud = session_of(world.project), cloud_of(outputs)
    names = {host.ssh_host: host.name for host in outputs.by_role("web")}
    second = outputs.by_role("web")[1].name
    assert unhealthy(session, cloud, names) == {second: "is not a target of the load balancer yet"}
    register(world, outputs)
    assert unhealthy(session, cloud, names) == {}
    wait_for_targets(session, cloud, outputs, Silent())


def test_a_host_that_stays_unhealthy_is_told_with_the_load_balancers_reason(
    world: World, outputs: Outputs, monkeypatch: pytest.MonkeyPatch
):
    register(world, outputs)
    session, cloud, sick = session_of(world.project), cloud_of(outputs), outputs.by_role("web")[0]
    call = session.call

    def answer(service: str, operation: str, /, **given: Any) -> dict[str, Any]:
        found = call(service, operation, **given)
        for one in found["TargetHealthDescriptions"]:
            if one["Target"]["Id"] == sick.ssh_host:
                one["TargetHealth"] = {"State": "unhealthy", "Description": "Health checks failed: 503"}
        return found

    session.call = answer  # type: ignore[method-assign]
    monkeypatch.setattr(health, "HEALTHY_SECONDS", 0)
    with pytest.raises(NeedsPerson, match=f"finds {sick.name} not healthy") as caught:
        wait_for_targets(session, cloud, outputs, Silent())
    assert caught.value.details == (f"{sick.name}: unhealthy: Health checks failed: 503",)


def test_a_host_for_previews_must_be_healthy_though_nothing_is_ever_released(
    world: World, outputs: Outputs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(health, "HEALTHY_SECONDS", 0)
    session, bucket = session_of(world.project), builds_bucket(session_of(world.project), outputs)
    health.wait_until_healthy(session, world.project, outputs, bucket, Silent())
    carries = replace(world.project, stack=world.project.stack.model_copy(update={"previews": True}))
    with pytest.raises(NeedsPerson, match="not healthy"):
        health.wait_until_healthy(session, carries, outputs, bucket, Silent())


def test_a_site_that_does_not_answer_is_told(world: World, outputs: Outputs):
    nowhere = outputs.model_copy(update={"url": "https://localhost:9"})
    assert "localhost cannot be reached from here" in site_problem(nowhere)
