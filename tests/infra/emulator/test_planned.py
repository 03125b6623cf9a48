"""What the emulator cannot make or keep: as the provider would ask AWS for it."""

from __future__ import annotations

from typing import Any

from tests.infra.emulator.applied import Applied


def only(applied: Applied, kind: str) -> dict[str, Any]:
    """The one resource of Terraform's type `kind`."""
    (found,) = [values for address, values in applied.planned.items() if address.startswith(f"{kind}.")]
    return found


def test_redis_speaks_only_tls_and_is_encrypted(applied: Applied):
    redis = only(applied, "aws_elasticache_replication_group")
    assert redis["transit_encryption_enabled"] is True
    assert redis["transit_encryption_mode"] == "required"
    assert str(redis["at_rest_encryption_enabled"]).lower() == "true"
    assert redis["engine_version"].startswith("7.")


def test_the_password_of_redis_is_in_no_plan(applied: Applied):
    assert only(applied, "aws_elasticache_replication_group")["auth_token"] is None


def test_redis_throws_nothing_away(applied: Applied):
    group = only(applied, "aws_elasticache_parameter_group")
    assert {"name": "maxmemory-policy", "value": "noeviction"} in group["parameter"]
    assert {"name": "cluster-enabled", "value": "no"} in group["parameter"]
    assert only(applied, "aws_elasticache_replication_group")["parameter_group_name"] == group["name"]


def test_redis_survives_a_zone_in_production(applied: Applied):
    redis, production = only(applied, "aws_elasticache_replication_group"), applied.stack == "prod"
    assert redis["automatic_failover_enabled"] is production
    assert redis["multi_az_enabled"] is production
    assert redis["num_cache_clusters"] == 1 + applied.aws.cache.replicas
    assert redis["snapshot_retention_limit"] == applied.aws.cache.snapshot_days
    assert bool(redis["final_snapshot_identifier"]) is production


def test_the_load_balancer_hears_only_cloudflare_even_from_its_addresses(applied: Applied):
    https = [
        each
        for address, each in applied.planned.items()
        if address.startswith("aws_lb_listener.") and each["port"] == 443
    ]
    assert [each["mutual_authentication"][0]["mode"] for each in https] == ["verify"]
    store = only(applied, "aws_lb_trust_store")
    bundle = only(applied, "aws_s3_object")
    assert (store["ca_certificates_bundle_s3_bucket"], store["ca_certificates_bundle_s3_key"]) == (
        bundle["bucket"],
        bundle["key"],
    )
    assert bundle["content"].startswith("-----BEGIN CERTIFICATE-----")


def test_browsers_are_told_to_keep_to_https(applied: Applied):
    named = "routing_http_response_strict_transport_security_header_value"
    sent = [
        each[named]
        for address, each in applied.planned.items()
        if address.startswith("aws_lb_listener.") and each.get(named)
    ]
    (value,) = sent
    seconds = int(value.split(";")[0].removeprefix("max-age="))
    assert seconds >= 31_536_000
    assert "includeSubDomains" in value


def test_the_database_takes_only_tls(applied: Applied):
    parameters = {
        each["name"]: each["value"] for each in only(applied, "aws_db_parameter_group")["parameter"]
    }
    assert parameters["rds.force_ssl"] == "1"


def test_the_database_leaves_a_snapshot_behind_in_production(applied: Applied):
    database, production = only(applied, "aws_db_instance"), applied.stack == "prod"
    assert database["skip_final_snapshot"] is not production
    assert database["delete_automated_backups"] is not production
    assert database["performance_insights_enabled"] is True
    assert database["performance_insights_retention_period"] == applied.aws.database.insights_days
    assert database["apply_immediately"] is False
    assert database["allow_major_version_upgrade"] is False


def test_hosts_are_replaced_without_a_gap(applied: Applied):
    for address, group in applied.planned.items():
        if address.startswith("aws_autoscaling_group."):
            assert group["instance_maintenance_policy"][0]["min_healthy_percentage"] == 100
            assert group["instance_refresh"][0]["preferences"][0]["min_healthy_percentage"] == 100


def test_the_bill_has_an_alarm(applied: Applied):
    assert applied.aws.budget is not None
    budget = only(applied, "aws_budgets_budget")
    assert float(budget["limit_amount"]) == applied.aws.budget.monthly_usd
    told = {(each["notification_type"], each["threshold"]) for each in budget["notification"]}
    assert told == {("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}


def test_mail_is_sent_by_tls_and_bounces_are_heard_of(applied: Applied):
    kinds = {address.partition(".")[0] for address in applied.planned}
    if applied.aws.mail is None:
        assert not any(kind.startswith("aws_ses") for kind in kinds)
        return
    rules = only(applied, "aws_sesv2_configuration_set")
    assert rules["delivery_options"][0]["tls_policy"] == "REQUIRE"
    assert set(rules["suppression_options"][0]["suppressed_reasons"]) == {"BOUNCE", "COMPLAINT"}
    (heard,) = only(applied, "aws_sesv2_configuration_set_event_destination")["event_destination"]
    assert {"BOUNCE", "COMPLAINT"} <= set(heard["matching_event_types"])
    bounces = only(applied, "aws_sesv2_email_identity_mail_from_attributes")
    assert bounces["mail_from_domain"] == f"{applied.aws.mail.mail_from}.{applied.aws.mail.domain}"


def test_no_value_of_a_secret_is_in_any_plan(applied: Applied):
    kinds = {address.partition(".")[0] for address in applied.planned}
    assert "aws_secretsmanager_secret_version" not in kinds
    for address, values in applied.planned.items():
        named = [
            key
            for key, value in values.items()
            if key in ("password", "auth_token", "secret_string") and value
        ]
        assert not named, address
