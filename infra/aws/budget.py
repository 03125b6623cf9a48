"""An alarm on the bill, before it is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from slipway.settings.aws import Budget as BudgetSettings
from slipway.settings.aws_names import FLEET_TAG, AwsNames

_TOLD = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
"""Of what, and from how many percent of the budget on."""


@dataclass(frozen=True)
class BudgetArgs:
    """Whose bill, and who is told."""

    names: AwsNames
    settings: BudgetSettings
    topic_arn: pulumi.Input[str]
    emails: Sequence[str] = ()


class Budget(pulumi.ComponentResource):
    """A monthly budget of what carries this stack's tag; told at 80 and 100 percent, and by forecast.

    AWS counts by tag only after the tag `slipway:fleet` is activated under cost allocation tags, once in an
    account, by hand: until then the sum is 0.
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
                for of, percent in _TOLD
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
