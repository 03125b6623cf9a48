import pytest

from slipway.fleet.ssh_config import control_folder
from slipway.platforms.aws.open import (
    builds_bucket,
    cloud_of,
    discover,
    look,
    members,
    open_outputs,
    unlaunched,
    with_hosts,
)
from slipway.platforms.aws.session import session_of
from slipway.settings import Outputs
from tests.infra.platform.world import KEY, World


def found(world: World, outputs: Outputs):
    session = session_of(world.project)
    return discover(look(session, world.names.fleet), cloud_of(outputs), builds_bucket(session, outputs))


def test_the_hosts_of_a_stack_are_the_members_of_its_groups(world: World):
    outputs = world.provision()
    web, worker = world.launch("web", 2), world.launch("worker", 1)
    world.launch("web", 1, fleet="board-preview", publish=False)
    hosts = found(world, outputs).hosts
    assert {host.ssh_host for host in hosts} == {*web, *worker}
    first = hosts[0]
    assert (first.role, first.name, first.ssh_user) == ("web", f"web-{first.ssh_host[-8:]}", "admin")
    assert first.host_key == KEY
    addresses = {
        each["InstanceId"]: each["PrivateIpAddress"]
        for one in world.client("ec2").describe_instances()["Reservations"]
        for each in one["Instances"]
    }
    assert all(host.address == addresses[host.ssh_host] for host in hosts)
    assert [host.role for host in hosts] == ["web", "web", "worker"]


def test_an_instance_that_has_not_published_its_key_is_still_starting(world: World):
    outputs = world.provision()
    ready, late = world.launch("web", 2, publish=False)
    world.publish("web", ready)
    seen = found(world, outputs)
    assert [host.ssh_host for host in seen.hosts] == [ready]
    assert seen.absent == {f"web-{late[-8:]}": "still starting: it has not published its ssh host key yet"}


def test_a_key_counts_only_where_the_instance_itself_can_write(world: World):
    outputs = world.provision()
    one, other = world.launch("web", 2, publish=False)
    # Somebody with another role, and a name without a role: neither is this instance's own place.
    world.publish("worker", one)
    world.client("s3").put_object(
        Bucket=world.names.bucket("builds"), Key=f"hosts/{other}", Body=KEY.encode()
    )
    assert found(world, outputs).hosts == []


@pytest.mark.parametrize(
    "published",
    [
        "",
        "no key",
        "ssh-ed25519 short",
        f"{KEY.split()[0]} {KEY.split()[1]}*",
        "ssh-dss " + KEY.split()[1],
    ],
)
def test_what_is_no_key_is_never_pinned(world: World, published: str):
    outputs = world.provision()
    (instance,) = world.launch("web", 1, publish=False)
    world.publish("web", instance, published)
    assert found(world, outputs).hosts == []


def test_only_the_key_itself_of_what_a_host_published_reaches_known_hosts(world: World):
    outputs = world.provision()
    (instance,) = world.launch("web", 1, publish=False)
    world.publish("web", instance, f"{KEY}\n* ssh-ed25519 AAAAother")
    assert [host.host_key for host in found(world, outputs).hosts] == [KEY]


def test_an_instance_that_leaves_is_no_host_any_more(world: World):
    outputs = world.provision()
    stays, goes, sick = world.launch("web", 3)
    world.client("ec2").stop_instances(InstanceIds=[goes])
    world.client("autoscaling").set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
    assert [host.ssh_host for host in found(world, outputs).hosts] == [stays]


def test_a_stray_tag_makes_no_host(world: World):
    outputs = world.provision()
    (instance,) = world.launch("web", 1)
    tags = [{"Key": "slipway:fleet", "Value": "board-prod"}, {"Key": "slipway:role", "Value": "web"}]
    stray = world.client("ec2").run_instances(
        ImageId="ami-12c6146b", MinCount=1, MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    world.publish("web", stray)
    assert [host.ssh_host for host in found(world, outputs).hosts] == [instance]


def state(instance: str, lifecycle: str, health: str = "Healthy") -> dict[str, str]:
    return {"InstanceId": instance, "LifecycleState": lifecycle, "HealthStatus": health}


def machine(instance: str, role: str, launched: int, power: str = "running") -> dict[str, object]:
    return {
        "InstanceId": instance,
        "State": {"Name": power},
        "LaunchTime": f"2026-01-0{launched}",
        "PrivateIpAddress": f"10.0.0.{launched}",
        "Tags": [{"Key": "slipway:role", "Value": role}],
    }


def test_every_state_of_an_instance_is_judged(world: World):
    group = {
        "AutoScalingGroupName": world.names.group("web"),
        "Instances": [
            state("i-new", "InService"),
            state("i-old", "InService"),
            state("i-pending", "Pending:Wait"),
            state("i-leaving", "Terminating:Wait"),
            state("i-standby", "Standby"),
            state("i-sick", "InService", "Unhealthy"),
            state("i-moved", "InService"),
            state("i-gone", "InService"),
        ],
    }
    machines = [
        machine("i-new", "web", 9),
        machine("i-old", "web", 1),
        machine("i-pending", "web", 3, "pending"),
        *(machine(name, "web", 4) for name in ("i-leaving", "i-standby", "i-sick")),
        machine("i-moved", "worker", 2),
    ]
    judged = members(cloud_of(world.outputs()), [group], [{"Instances": machines}])
    assert [(one.instance, one.why_not) for one in judged] == [
        ("i-old", ""),
        ("i-pending", "still starting: Pending:Wait"),
        ("i-leaving", "leaving: Terminating:Wait, running"),
        ("i-sick", "leaving: its group will replace it, for it is unhealthy"),
        ("i-standby", "leaving: Standby, running"),
        ("i-new", ""),
    ]


def test_opening_a_stack_writes_what_ssh_needs(world: World):
    world.provision()
    (instance,) = world.launch("web", 1)
    opened = open_outputs(world.project)
    (host,) = opened.outputs.hosts
    config = opened.outputs.ssh_config_path.read_text()
    assert f"Host {host.name}\n  HostName {instance}\n  Port 22\n  User admin\n" in config
    assert "slipway.platforms.aws.tunnel --region us-east-1 --key" in config
    assert config.count("%r %h %p") == 1
    assert KEY in (world.project.state_dir / "known_hosts").read_text()
    key = world.project.state_dir / "ssh" / "operator"
    assert key.stat().st_mode & 0o777 == 0o600


def test_kept_connections_outlive_other_hosts_coming_and_going(world: World):
    outputs = world.provision()
    stays, goes = world.launch("web", 2)
    opened = with_hosts(world.project, outputs)
    folder = control_folder(opened.outputs.ssh_config_path)
    kept = {instance: folder / f"web-{instance[-8:]}" for instance in (stays, goes)}
    for socket in kept.values():
        socket.touch()
    world.client("ec2").terminate_instances(InstanceIds=[goes])
    again = with_hosts(world.project, outputs).outputs
    assert [host.ssh_host for host in again.hosts] == [stays]
    assert (kept[stays].exists(), kept[goes].exists()) == (True, False)


def test_a_group_that_has_yet_to_launch_hosts_is_waited_for(world: World):
    cloud = cloud_of(world.outputs())
    group = {
        "AutoScalingGroupName": world.names.group("web"),
        "DesiredCapacity": 3,
        "Instances": [state("i-1", "InService")],
    }
    assert unlaunched(cloud, [group]) == {"web-new": "still starting: 2 more are to be launched"}
    assert unlaunched(cloud, [{**group, "DesiredCapacity": 1}]) == {}
    assert unlaunched(cloud, [{**group, "AutoScalingGroupName": "another"}]) == {}
