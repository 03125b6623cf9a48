"""SES: mail from the domain, with DKIM, over TLS only, and alarms before AWS suspends sending."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from slipway.settings.aws import Mail as MailSettings
from slipway.settings.aws_names import AwsNames

_DKIM_TOKENS = 3
"""The number of DKIM records that SES gives a domain."""


@dataclass(frozen=True)
class MailArgs:
    """The domain, and the topic for bounces and complaints."""

    names: AwsNames
    settings: MailSettings
    topic_arn: pulumi.Input[str]


@dataclass(frozen=True)
class DnsRecord:
    """A DNS record that the domain's zone must have."""

    name: pulumi.Input[str]
    type: str
    value: pulumi.Input[str]
    priority: int | None = None
    """Preference of an MX record; None for other types."""


class Mail(pulumi.ComponentResource):
    """A domain identity with DKIM, a configuration set that delivers by TLS only, and two alarms.

    With `mail_from`, bounces return to a name of the domain, so that SPF is aligned with it for DMARC.
    Bounces, complaints and rejections are sent to the stack's topic; SES sends nothing more to addresses
    that bounced or complained. `records` validate the domain: its zone in Cloudflare or Route 53 must have
    them. The hosts' roles may send from this domain only, with this configuration set (I15).
    """

    identity_arn: pulumi.Output[str]
    configuration_set: pulumi.Output[str]
    records: dict[str, DnsRecord]
    """By a short name: `dkim-1`, `mail-from`, `spf`, `dmarc`."""

    def __init__(self, name: str, args: MailArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Mail", name, None, opts)
        self._name, self._args = name, args
        rules = self._configuration_set()
        identity = aws.sesv2.EmailIdentity(
            f"{name}-identity",
            email_identity=args.settings.domain,
            configuration_set_name=rules.configuration_set_name,
            opts=self._child(),
        )
        self._events(rules)
        self._alarm("bounces", "Reputation.BounceRate", args.settings.bounce_percent)
        self._alarm("complaints", "Reputation.ComplaintRate", args.settings.complaint_percent)
        self.identity_arn, self.configuration_set = identity.arn, rules.configuration_set_name
        self.records = {
            f"dkim-{index + 1}": _dkim_record(args.settings.domain, identity, index)
            for index in range(_DKIM_TOKENS)
        }
        if args.settings.mail_from:
            self._mail_from(identity)
        if args.settings.dmarc != "elsewhere":
            policy = f"v=DMARC1; p={args.settings.dmarc}"
            self.records |= {"dmarc": DnsRecord(f"_dmarc.{args.settings.domain}", "TXT", policy)}
        self.register_outputs({
            "identityArn": self.identity_arn,
            "configurationSet": self.configuration_set,
        })  # fmt: skip

    def _mail_from(self, identity: aws.sesv2.EmailIdentity) -> None:
        """https://docs.aws.amazon.com/ses/latest/dg/mail-from.html: an MX and an SPF record of the name."""
        domain = f"{self._args.settings.mail_from}.{self._args.settings.domain}"
        aws.sesv2.EmailIdentityMailFromAttributes(
            f"{self._name}-from",
            email_identity=identity.email_identity,
            mail_from_domain=domain,
            # Mail goes out from amazonses.com while the MX record is not there yet.
            behavior_on_mx_failure="USE_DEFAULT_VALUE",
            opts=self._child(),
        )
        region = self._args.names.region
        self.records |= {
            "mail-from": DnsRecord(domain, "MX", f"feedback-smtp.{region}.amazonses.com", priority=10),
            "spf": DnsRecord(domain, "TXT", "v=spf1 include:amazonses.com ~all"),
        }

    def _configuration_set(self) -> aws.sesv2.ConfigurationSet:
        return aws.sesv2.ConfigurationSet(
            f"{self._name}-rules",
            configuration_set_name=self._args.names.fleet,
            delivery_options=aws.sesv2.ConfigurationSetDeliveryOptionsArgs(tls_policy="REQUIRE"),
            reputation_options=aws.sesv2.ConfigurationSetReputationOptionsArgs(
                reputation_metrics_enabled=True
            ),
            sending_options=aws.sesv2.ConfigurationSetSendingOptionsArgs(sending_enabled=True),
            suppression_options=aws.sesv2.ConfigurationSetSuppressionOptionsArgs(
                suppressed_reasons=["BOUNCE", "COMPLAINT"]
            ),
            opts=self._child(),
        )

    def _events(self, rules: aws.sesv2.ConfigurationSet) -> None:
        sns = aws.sesv2.ConfigurationSetEventDestinationEventDestinationSnsDestinationArgs(
            topic_arn=self._args.topic_arn
        )
        aws.sesv2.ConfigurationSetEventDestination(
            f"{self._name}-events",
            configuration_set_name=rules.configuration_set_name,
            event_destination_name="topic",
            event_destination=aws.sesv2.ConfigurationSetEventDestinationEventDestinationArgs(
                enabled=True, matching_event_types=["BOUNCE", "COMPLAINT", "REJECT"], sns_destination=sns
            ),
            opts=self._child(),
        )

    def _alarm(self, what: str, metric: str, percent: float) -> None:
        """SES measures reputation for the whole account: its rates have no dimension."""
        aws.cloudwatch.MetricAlarm(
            f"{self._name}-{what}",
            name=f"{self._args.names.fleet}-mail-{what}",
            alarm_description=f"page: {what} of more than {percent:g} percent of mail. Stop it, or AWS will.",
            namespace="AWS/SES",
            metric_name=metric,
            statistic="Maximum",
            period=3600,
            evaluation_periods=1,
            threshold=percent / 100,
            comparison_operator="GreaterThanThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[self._args.topic_arn],
            ok_actions=[self._args.topic_arn],
            opts=self._child(),
        )

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)


def _dkim_record(domain: str, identity: aws.sesv2.EmailIdentity, index: int) -> DnsRecord:
    token = identity.dkim_signing_attributes.apply(lambda attributes: _token(attributes.tokens, index))
    return DnsRecord(
        name=pulumi.Output.concat(token, f"._domainkey.{domain}"),
        type="CNAME",
        value=pulumi.Output.concat(token, ".dkim.amazonses.com"),
    )


def _token(tokens: Sequence[str] | None, index: int) -> str:
    return (tokens or [])[index]
