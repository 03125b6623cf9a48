"""The network as AWS has it: what is reachable from where."""

from __future__ import annotations

from typing import Any

from tests.infra.emulator import found
from tests.infra.emulator.applied import Applied


def subnets(applied: Applied, part: str) -> list[dict[str, Any]]:
    filters = [{"Name": "vpc-id", "Values": [found.network(applied)["VpcId"]]}]
    every = applied.ask("ec2").describe_subnets(Filters=filters)["Subnets"]
    return [each for each in every if f"-{part}-" in name(each)]


def name(resource: dict[str, Any]) -> str:
    return next((tag["Value"] for tag in resource.get("Tags", []) if tag["Key"] == "Name"), "")


def way_out(applied: Applied, subnet: str) -> dict[str, Any] | None:
    """The default route of a subnet."""
    filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
    (table,) = applied.ask("ec2").describe_route_tables(Filters=filters)["RouteTables"]
    return next((each for each in table["Routes"] if each.get("DestinationCidrBlock") == "0.0.0.0/0"), None)


def test_every_part_spans_the_zones(applied: Applied):
    for part in ("public", "private", "data"):
        zones = {each["AvailabilityZone"] for each in subnets(applied, part)}
        assert len(zones) == applied.aws.network.zones


def test_hosts_have_no_public_address_and_leave_through_a_gateway(applied: Applied):
    gateways: set[str] = set()
    for each in subnets(applied, "private"):
        assert not each["MapPublicIpOnLaunch"]
        route = way_out(applied, each["SubnetId"])
        assert route is not None
        gateways.add(route["NatGatewayId"])
    wanted = applied.aws.network.zones if applied.aws.network.nat == "per_zone" else 1
    assert len(gateways) == wanted


def test_data_has_no_way_out(applied: Applied):
    assert [way_out(applied, each["SubnetId"]) for each in subnets(applied, "data")] == [None] * 2


def test_the_load_balancer_is_public_and_alone_there(applied: Applied):
    public = {each["SubnetId"] for each in subnets(applied, "public")}
    zones = found.load_balancer(applied)["AvailabilityZones"]
    assert {each["SubnetId"] for each in zones} == public
    for role in ("web", "worker"):
        hosts = set(found.group(applied, role)["VPCZoneIdentifier"].split(","))
        assert hosts == {each["SubnetId"] for each in subnets(applied, "private")}


def test_nothing_but_the_load_balancer_lets_strangers_in(applied: Applied):
    (edge,) = found.load_balancer(applied)["SecurityGroups"]
    own = found.network(applied)["CidrBlock"]
    for group in found.security_groups(applied):
        if group["GroupId"] != edge:
            for rule in found.rules(applied, group["GroupId"]):
                assert rule["IsEgress"] or rule.get("CidrIpv4", own) == own, (group["GroupName"], rule)
                assert rule["IsEgress"] or not rule.get("CidrIpv6"), (group["GroupName"], rule)


def test_no_port_for_ssh_is_open_anywhere(applied: Applied):
    for group in found.security_groups(applied):
        for rule in found.rules(applied, group["GroupId"]):
            if not rule["IsEgress"]:
                assert not rule["FromPort"] <= 22 <= rule["ToPort"]


def test_the_default_group_lets_nothing_through(applied: Applied):
    (default,) = [each for each in found.security_groups(applied) if each["GroupName"] == "default"]
    assert found.rules(applied, default["GroupId"]) == []


def test_web_hosts_hear_only_the_load_balancer(applied: Applied):
    (edge,) = found.load_balancer(applied)["SecurityGroups"]
    (interface,) = found.launch_template(applied, "web")["NetworkInterfaces"]
    (web,) = interface["Groups"]
    (rule,) = [each for each in found.rules(applied, web) if not each["IsEgress"]]
    assert rule["ReferencedGroupInfo"]["GroupId"] == edge
    assert (rule["FromPort"], rule["ToPort"]) == (8080, 8080)


def test_worker_hosts_hear_nobody(applied: Applied):
    (interface,) = found.launch_template(applied, "worker")["NetworkInterfaces"]
    (worker,) = interface["Groups"]
    assert [each for each in found.rules(applied, worker) if not each["IsEgress"]] == []


def test_the_database_hears_only_hosts_and_its_proxy(applied: Applied):
    (group,) = found.database(applied)["VpcSecurityGroups"]
    let_in = [each for each in found.rules(applied, group["VpcSecurityGroupId"]) if not each["IsEgress"]]
    assert let_in
    assert {(each["FromPort"], each["ToPort"]) for each in let_in} == {(5432, 5432)}
    assert all(each["ReferencedGroupInfo"]["GroupId"] for each in let_in)


def test_connections_are_written_down(applied: Applied):
    (log,) = applied.ask("ec2").describe_flow_logs()["FlowLogs"]
    assert log["ResourceId"] == found.network(applied)["VpcId"]
    assert log["TrafficType"] == "ALL"
    kept = applied.ask("logs").describe_log_groups(
        logGroupNamePrefix=f"/slipway/board/{applied.stack}/network"
    )
    assert kept["logGroups"][0]["retentionInDays"] == applied.aws.network.flow_log_days


def test_s3_is_reached_without_the_gateway(applied: Applied):
    endpoints = applied.ask("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    (s3,) = [each for each in endpoints if each["ServiceName"].endswith(".s3")]
    assert s3["VpcEndpointType"] == "Gateway"
    assert s3["RouteTableIds"]
