"""The load balancer's firewall: AWS's managed rules, and a rate limit for each client address."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.limits import retention_days
from slipway.settings.aws_names import AwsNames

LOG_PREFIX = "aws-waf-logs-"
"""AWS WAF writes only to log groups with this prefix."""
CLIENT_HEADER = "CF-Connecting-IP"
"""The client's address behind Cloudflare, which overwrites what the client sent. X-Forwarded-For starts with
what the client sent, and AWS WAF uses a header's first address."""


@dataclass(frozen=True)
class ManagedRules:
    """One of AWS's managed rule groups."""

    name: str
    counted: tuple[str, ...] = ()
    """Rules of the group that only count."""
    direct_only: bool = False
    """Does it examine the connection's address, which behind Cloudflare is never the client's?"""


MANAGED = (
    ManagedRules("AWSManagedRulesAmazonIpReputationList", direct_only=True),
    # limits.body_bytes already limits bodies, and 8 KB is too little for an API. Clients without User-Agent
    # are programs, and an API has such users.
    ManagedRules("AWSManagedRulesCommonRuleSet", ("SizeRestrictions_BODY", "NoUserAgent_HEADER")),
    ManagedRules("AWSManagedRulesKnownBadInputsRuleSet"),
    ManagedRules("AWSManagedRulesSQLiRuleSet"),
)
"""In order of evaluation. https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html"""


@dataclass(frozen=True)
class WebAclArgs:
    """The load balancer, and the limits."""

    names: AwsNames
    load_balancer_arn: pulumi.Input[str]
    requests_per_5_minutes: int
    behind_cloudflare: bool
    log_days: int
    key_arn: pulumi.Input[str]


class WebAcl(pulumi.ComponentResource):
    """A web ACL on the load balancer (ELB.16) with a log of what it blocked or counted (WAF.11).

    It blocks an address that exceeds its requests in five minutes, then applies `MANAGED`. `Authorization`
    and `Cookie` are redacted in the log.
    """

    acl_name: Output[str]
    arn: Output[str]

    def __init__(self, name: str, args: WebAclArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:WebAcl", name, None, opts)
        child = ResourceOptions(parent=self)
        acl = aws.wafv2.WebAcl(
            f"{name}-acl",
            name=args.names.fleet,
            description=f"Before the load balancer of {args.names.fleet}",
            scope="REGIONAL",
            default_action=aws.wafv2.WebAclDefaultActionArgs(allow=aws.wafv2.WebAclDefaultActionAllowArgs()),
            visibility_config=aws.wafv2.WebAclVisibilityConfigArgs(
                cloudwatch_metrics_enabled=True,
                # The value of CloudWatch's dimension WebACL.
                metric_name=args.names.fleet,
                sampled_requests_enabled=True,
            ),
            rules=[_rate_rule(args), *_managed_rules(behind_cloudflare=args.behind_cloudflare)],
            opts=child,
        )
        aws.wafv2.WebAclAssociation(
            f"{name}-association", resource_arn=args.load_balancer_arn, web_acl_arn=acl.arn, opts=child
        )
        self._log(name, args, acl)
        self.acl_name, self.arn = acl.name, acl.arn
        self.register_outputs({"arn": self.arn})

    def _log(self, name: str, args: WebAclArgs, acl: aws.wafv2.WebAcl) -> None:
        child = ResourceOptions(parent=self)
        group = aws.cloudwatch.LogGroup(
            f"{name}-log",
            name=f"{LOG_PREFIX}{args.names.fleet}",
            retention_in_days=retention_days(args.log_days),
            kms_key_id=args.key_arn,
            opts=child,
        )
        aws.wafv2.WebAclLoggingConfiguration(
            f"{name}-logging",
            resource_arn=acl.arn,
            log_destination_configs=[group.arn],
            redacted_fields=[_redacted("authorization"), _redacted("cookie")],
            logging_filter=aws.wafv2.WebAclLoggingConfigurationLoggingFilterArgs(
                default_behavior="DROP",
                filters=[
                    aws.wafv2.WebAclLoggingConfigurationLoggingFilterFilterArgs(
                        behavior="KEEP",
                        requirement="MEETS_ANY",
                        conditions=[_action("BLOCK"), _action("COUNT")],
                    )
                ],
            ),
            opts=child,
        )


def _rate_rule(args: WebAclArgs) -> aws.wafv2.WebAclRuleArgs:
    statement = aws.wafv2.WebAclRuleStatementRateBasedStatementArgs
    rate = (
        statement(
            limit=args.requests_per_5_minutes,
            evaluation_window_sec=300,
            aggregate_key_type="FORWARDED_IP",
            forwarded_ip_config=aws.wafv2.WebAclRuleStatementRateBasedStatementForwardedIpConfigArgs(
                header_name=CLIENT_HEADER, fallback_behavior="MATCH"
            ),
        )
        if args.behind_cloudflare
        else statement(limit=args.requests_per_5_minutes, evaluation_window_sec=300, aggregate_key_type="IP")
    )
    return aws.wafv2.WebAclRuleArgs(
        name="rate",
        priority=0,
        action=aws.wafv2.WebAclRuleActionArgs(
            block=aws.wafv2.WebAclRuleActionBlockArgs(
                custom_response=aws.wafv2.WebAclRuleActionBlockCustomResponseArgs(response_code=429)
            )
        ),
        statement=aws.wafv2.WebAclRuleStatementArgs(rate_based_statement=rate),
        visibility_config=_visible("rate"),
    )


def _managed_rules(*, behind_cloudflare: bool) -> list[aws.wafv2.WebAclRuleArgs]:
    groups = [group for group in MANAGED if not (group.direct_only and behind_cloudflare)]
    return [
        aws.wafv2.WebAclRuleArgs(
            name=group.name,
            priority=priority,
            override_action=aws.wafv2.WebAclRuleOverrideActionArgs(
                none=aws.wafv2.WebAclRuleOverrideActionNoneArgs()
            ),
            statement=aws.wafv2.WebAclRuleStatementArgs(managed_rule_group_statement=_managed(group)),
            visibility_config=_visible(group.name),
        )
        for priority, group in enumerate(groups, start=1)
    ]


def _managed(group: ManagedRules) -> aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementArgs:
    override = aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideArgs
    count = aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseArgs(
        count=aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseCountArgs()
    )
    return aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementArgs(
        vendor_name="AWS",
        name=group.name,
        rule_action_overrides=[override(name=rule, action_to_use=count) for rule in group.counted],
    )


def _visible(metric: str) -> aws.wafv2.WebAclRuleVisibilityConfigArgs:
    return aws.wafv2.WebAclRuleVisibilityConfigArgs(
        cloudwatch_metrics_enabled=True, metric_name=metric, sampled_requests_enabled=True
    )


def _redacted(header: str) -> aws.wafv2.WebAclLoggingConfigurationRedactedFieldArgs:
    return aws.wafv2.WebAclLoggingConfigurationRedactedFieldArgs(
        single_header=aws.wafv2.WebAclLoggingConfigurationRedactedFieldSingleHeaderArgs(name=header)
    )


def _action(action: str) -> aws.wafv2.WebAclLoggingConfigurationLoggingFilterFilterConditionArgs:
    return aws.wafv2.WebAclLoggingConfigurationLoggingFilterFilterConditionArgs(
        action_condition=aws.wafv2.WebAclLoggingConfigurationLoggingFilterFilterConditionActionConditionArgs(
            action=action
        )
    )
