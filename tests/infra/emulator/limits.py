"""What the emulator cannot do, and what it forgets."""

from __future__ import annotations

PLAN_ONLY = {
    "aws_budgets_budget": "no DescribeSubscribersForNotification: the provider asks again for ever",
    "aws_elasticache_parameter_group": "made, but never found again: the provider waits for ever",
    "aws_elasticache_replication_group": "TLS and engine versions come back other than they were set",
    "aws_lb_trust_store": "not implemented",
    "aws_sesv2_configuration_set": "GetConfigurationSet answers what the provider cannot read",
    "aws_sesv2_configuration_set_event_destination": "needs the configuration set",
    "aws_sesv2_email_identity_mail_from_attributes": "not implemented",
}
"""Terraform's types that are validated and planned by the provider, but not made: why."""

SECOND = (
    "aws_budgets_budget", "aws_elasticache_parameter_group", "aws_elasticache_replication_group",
    "aws_sesv2_configuration_set", "aws_sesv2_configuration_set_event_destination",
)  # fmt: skip
"""Types of these that MiniStack makes (second.py)."""
NEITHER = {
    "aws_lb_trust_store": "MiniStack gives objects no version, which the store names",
    "aws_sesv2_email_identity_mail_from_attributes": "MiniStack has no such path",
}
"""Types of these that neither makes: why."""

FORGOTTEN: dict[tuple[str, str], str] = {
    ("aws_autoscaling_group", "capacity_reservation_specification"): "answers a part of it as null",
    ("aws_autoscaling_group", "default_instance_warmup"): "is not kept",
    ("aws_autoscaling_group", "instance_maintenance_policy"): "is not kept",
    ("aws_autoscaling_group", "max_instance_lifetime"): "is not kept",
    ("aws_autoscaling_lifecycle_hook", "notification_target_arn"): "answers one that nobody set",
    ("aws_autoscaling_lifecycle_hook", "role_arn"): "answers one that nobody set",
    ("aws_autoscaling_policy", "enabled"): "is not kept",
    ("aws_autoscaling_policy", "predictive_scaling_configuration"): "answers an empty one that nobody set",
    ("aws_db_instance", "performance_insights_enabled"): "is not answered",
    ("aws_db_instance", "performance_insights_kms_key_id"): "is not answered",
    ("aws_db_instance", "performance_insights_retention_period"): "is not answered",
    ("aws_db_parameter_group", "parameter"): "is not answered with its source",
    ("aws_launch_template", "tag_specifications"): "keeps those of instances and volumes only",
    ("aws_lb_listener", "mutual_authentication"): "is not kept",
    ("aws_sesv2_email_identity", "tags_all"): "is not kept",
    ("aws_vpc_security_group_egress_rule", "description"): "is not kept where another group is named",
    ("aws_vpc_security_group_ingress_rule", "description"): "is not kept where another group is named",
}
"""Arguments that the provider sets and is not told again: why. They do not count as a change."""


def forgotten(kind: str) -> list[str]:
    """Of Terraform's type `kind`."""
    return [argument for each, argument in FORGOTTEN if each == kind]
