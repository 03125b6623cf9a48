"""The load balancer as AWS has it: TLS, stickiness, health, and who reaches it."""

from __future__ import annotations

from infra.cloudflare import origin as ranges
from tests.infra.emulator import found
from tests.infra.emulator.applied import Applied


def test_only_tls_1_2_and_1_3_are_spoken(applied: Applied):
    https = found.listeners(applied)[443]
    assert (https["Protocol"], https["SslPolicy"]) == ("HTTPS", "ELBSecurityPolicy-TLS13-1-2-Res-2021-06")
    (certificate,) = https["Certificates"]
    assert ":certificate/" in certificate["CertificateArn"]


def test_plain_http_is_only_sent_on(applied: Applied):
    assert set(found.listeners(applied)) == {80, 443}
    (action,) = found.listeners(applied)[80]["DefaultActions"]
    assert action["Type"] == "redirect"
    redirect = action["RedirectConfig"]
    assert (redirect["Protocol"], redirect["Port"], redirect["StatusCode"]) == ("HTTPS", "443", "HTTP_301")


def test_requests_go_to_the_web_hosts(applied: Applied):
    (action,) = found.listeners(applied)[443]["DefaultActions"]
    assert action["Type"] == "forward"
    assert action["TargetGroupArn"] == found.target_group(applied)["TargetGroupArn"]
    assert found.group(applied, "web")["TargetGroupARNs"] == [action["TargetGroupArn"]]


def test_addresses_for_machines_are_not_answered_from_outside(applied: Applied):
    arn = found.listeners(applied)[443]["ListenerArn"]
    refused: set[str] = set()
    for rule in applied.ask("elbv2").describe_rules(ListenerArn=arn)["Rules"]:
        if rule["Actions"][0]["Type"] == "fixed-response":
            assert rule["Actions"][0]["FixedResponseConfig"]["StatusCode"] == "404"
            refused |= {path for each in rule["Conditions"] for path in each["PathPatternConfig"]["Values"]}
    assert {"/-/*", "/metrics", "/ready"} <= refused


def test_a_client_stays_on_its_host(applied: Applied):
    attributes = found.target_group_attributes(applied)
    assert attributes["stickiness.enabled"] == "true"
    assert attributes["stickiness.type"] == "lb_cookie"
    assert attributes["stickiness.lb_cookie.duration_seconds"] == "86400"
    assert attributes["load_balancing.algorithm.type"] == "least_outstanding_requests"
    assert attributes.get("slow_start.duration_seconds", "0") == "0"


def test_a_leaving_host_finishes_its_connections(applied: Applied):
    drain = max(each.drain_seconds for each in applied.app.processes.values())
    assert int(found.target_group_attributes(applied)["deregistration_delay.timeout_seconds"]) >= drain


def test_a_host_is_asked_whether_it_is_ready(applied: Applied):
    group = found.target_group(applied)
    assert group["HealthCheckPath"] == "/-/slipway/ready"
    assert group["HealthCheckIntervalSeconds"] <= 30
    assert group["Matcher"] == {"HttpCode": "200"}
    assert (group["Protocol"], group["Port"]) == ("HTTP", 8080)


def test_odd_requests_are_refused_and_all_are_logged(applied: Applied):
    attributes = found.load_balancer_attributes(applied)
    logs = found.bucket(applied, "logs")
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert attributes["routing.http.desync_mitigation_mode"] == "strictest"
    assert attributes["routing.http.xff_header_processing.mode"] == "append"
    assert attributes["routing.http.preserve_host_header.enabled"] == "true"
    assert (attributes["access_logs.s3.enabled"], attributes["access_logs.s3.bucket"]) == ("true", logs)
    assert (attributes["connection_logs.s3.enabled"], attributes["connection_logs.s3.bucket"]) == (
        "true",
        logs,
    )


def test_a_silent_socket_outlives_its_heartbeat(applied: Applied):
    idle = int(found.load_balancer_attributes(applied)["idle_timeout.timeout_seconds"])
    assert idle >= 2 * applied.aws.load_balancer.heartbeat_seconds


def test_production_cannot_be_deleted_by_a_slip(applied: Applied):
    guarded = found.load_balancer_attributes(applied)["deletion_protection.enabled"]
    assert guarded == ("true" if applied.stack == "prod" else "false")


def test_only_cloudflare_reaches_it(applied: Applied):
    (group,) = found.load_balancer(applied)["SecurityGroups"]
    let_in = [each for each in found.rules(applied, group) if not each["IsEgress"]]
    addresses = {each.get("CidrIpv4") or each.get("CidrIpv6") for each in let_in}
    assert addresses == {*ranges.IPV4, *ranges.IPV6}
    assert {(each["FromPort"], each["ToPort"]) for each in let_in} == {(80, 80), (443, 443)}


def test_a_firewall_with_a_rate_rule_stands_before_it(applied: Applied):
    firewall = applied.ask("wafv2")
    arn = found.load_balancer(applied)["LoadBalancerArn"]
    acl = firewall.get_web_acl_for_resource(ResourceArn=arn)["WebACL"]
    rate = [each for each in acl["Rules"] if "RateBasedStatement" in each["Statement"]]
    assert [each["Statement"]["RateBasedStatement"]["Limit"] for each in rate] == [
        applied.aws.load_balancer.requests_per_5_minutes
    ]
    managed = {
        each["Statement"]["ManagedRuleGroupStatement"]["Name"]
        for each in acl["Rules"]
        if "ManagedRuleGroupStatement" in each["Statement"]
    }
    assert {"AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"} <= managed
