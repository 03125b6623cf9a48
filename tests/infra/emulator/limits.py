"""What the emulator cannot do: these types are validated and planned by the provider, and not applied."""

from __future__ import annotations

PLAN_ONLY = {
    "aws_budgets_budget": "no DescribeSubscribersForNotification: the provider asks again for ever",
    "aws_elasticache_parameter_group": "made, but never found again: the provider waits for ever",
    "aws_elasticache_replication_group": "TLS and engine versions come back other than they were set",
    "aws_elasticache_subnet_group": "only the replication group uses it",
    "aws_lb_trust_store": "not implemented",
    "aws_sesv2_configuration_set": "GetConfigurationSet answers what the provider cannot read",
    "aws_sesv2_configuration_set_event_destination": "needs the configuration set",
}
"""By Terraform's type: why."""
