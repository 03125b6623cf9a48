"""AWS Budgets: notifications before the month's bill exceeds its budget."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from slipway.settings.aws import Budget as BudgetSettings
from slipway.settings.aws_names import FLEET_TAG, AwsNames

_THRESHOLDS = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
"""Actual or forecast cost, and the percentage of the budget at which a notification is sent."""


@dataclass(frozen=True)
class BudgetArgs:
    """The budget, and who is notified."""

    names: AwsNames
    settings: BudgetSettings
    topic_arn: pulumi.Input[str]
    emails: Sequence[str] = ()


class Budget(pulumi.ComponentResource):
    """A monthly budget for resources with this stack's tag; notifies at 80 and 100 percent, and by forecast.

    AWS counts by tag only after `slipway:fleet` was activated under cost allocation tags, once for each
    account, by hand: until then the total is 0.
    """

    def __init__(self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Budget", name, None, opts)
        aws.budgets.Budget(
            f"{name}-monthly",
            name=args.names.fleet,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=str(args.settings.monthly_usd),
            limit_unit="USD",
            cost_filters=[
                aws.budgets.BudgetCostFilterArgs(
                    name="TagKeyValue", values=[f"user:{FLEET_TAG}${args.names.fleet}"]
                )
            ],
            notifications=[
                aws.budgets.BudgetNotificationArgs(
                    notification_type=of,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                    subscriber_sns_topic_arns=[args.topic_arn],
                    subscriber_email_addresses=list(args.emails) or None,
                )
                for of, percent in _THRESHOLDS
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
