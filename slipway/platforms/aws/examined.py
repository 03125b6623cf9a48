"""What the doctor looks at for a stack on AWS: processors, hosts' logs, mail, and what the budget counts."""

import platform
import time
from collections.abc import Iterable

from slipway.platforms.aws.session import AwsInput, AwsRefused, AwsSession
from slipway.platforms.platform import Diagnosis, fail, ok, warn
from slipway.settings.aws import Aws
from slipway.settings.aws_fit import architecture_of_image, architecture_of_type
from slipway.settings.aws_names import FLEET_TAG, HOST_ROLES, AwsNames

BILLING = "us-east-1"
"""Cost Explorer has one endpoint, for all regions."""
QUIET_MINUTES = 90
"""Timers alone write a line a minute on every host; AWS updates a stream's last date within an hour or so."""


def processors(aws: Aws) -> Iterable[Diagnosis]:
    """This machine makes builds that the hosts can run: a build is for the processors of its own machine."""
    hosts, own = architecture_of_type(aws.web.type), architecture_of_image(platform.machine())
    if hosts == own:
        yield ok(f"builds of this machine are for {own}, as hosts are")
    else:
        yield warn(
            f"hosts are {hosts} ({aws.web.type}) and builds of this machine are for {own}:"
            " a release from here is refused",
            f"release from a machine of {hosts}, for example GitHub's runner ubuntu-24.04-arm"
            " (variable SLIPWAY_RUNNER); or other types of web and worker",
        )


def mail(session: AwsSession, aws: Aws) -> Iterable[Diagnosis]:
    """SES may send to anyone, the domain is proved, and bounces come back to a name of it."""
    if aws.mail is None:
        return
    if session.call("sesv2", "get_account").get("ProductionAccessEnabled"):
        yield ok("SES sends to any address")
    else:
        yield warn(
            f"SES is in its sandbox in {aws.region}: it sends to verified addresses only, 200 a day",
            "request production access: the SES console, Account dashboard; AWS answers within a day",
        )
    try:
        found = session.call("sesv2", "get_email_identity", EmailIdentity=aws.mail.domain)
    except AwsRefused as refused:
        if refused.code != "NotFoundException":
            raise
        yield warn(f"SES does not know {aws.mail.domain} yet", "slipway up makes it")
        return
    dkim = found.get("DkimAttributes", {}).get("Status", "NOT_STARTED")
    if found.get("VerifiedForSendingStatus") and dkim == "SUCCESS":
        yield ok(f"{aws.mail.domain} is proved to SES by DKIM")
    else:
        yield fail(
            f"{aws.mail.domain} is not proved to SES (DKIM: {dkim}): no mail is sent from it",
            "are the three _domainkey records in the domain's zone? AWS looks for 72 hours",
        )
    if aws.mail.mail_from:
        status = found.get("MailFromAttributes", {}).get("MailFromDomainStatus", "missing")
        name = f"{aws.mail.mail_from}.{aws.mail.domain}"
        if status == "SUCCESS":
            yield ok(f"bounces go to {name} (MAIL FROM)")
        else:
            yield warn(
                f"MAIL FROM {name} is {status}: mail goes out, and SPF is not aligned for DMARC",
                f"are the MX and TXT records of {name} in the zone? AWS looks for 72 hours",
            )


def logs(session: AwsSession, names: AwsNames) -> Iterable[Diagnosis]:
    """Hosts of every role send their journal; nothing is said before there are log groups."""
    for role in HOST_ROLES:
        group = names.log_group(role)
        given = {"logGroupName": group, "orderBy": "LastEventTime", "descending": True, "limit": 1}
        try:
            streams = session.call("logs", "describe_log_streams", **given)["logStreams"]
        except (AwsInput, AwsRefused) as refused:
            if refused.code == "ResourceNotFoundException":
                continue
            raise
        newest = max((each.get("lastEventTimestamp", 0) for each in streams), default=0) / 1000
        minutes = (time.time() - newest) / 60
        if minutes <= QUIET_MINUTES:
            yield ok(f"{role} hosts send their logs to {group}")
        else:
            when = f"for {minutes:.0f} minutes" if newest else "yet"
            yield warn(
                f"no {role} host has sent a line to {group} {when}",
                "on a host: systemctl status slipway-forward; slipway logs without --since reads the hosts",
            )


def budget(session: AwsSession, aws: Aws) -> Iterable[Diagnosis]:
    """The tag by which the budget counts was activated; until then its total is 0."""
    if aws.budget is None:
        return
    found = session.call("ce", "list_cost_allocation_tags", TagKeys=[FLEET_TAG])["CostAllocationTags"]
    if any(each.get("Status") == "Active" for each in found):
        yield ok(f"the budget counts by {FLEET_TAG}")
    else:
        yield warn(
            f"cost allocation tag {FLEET_TAG} is not active: the budget counts nothing and warns of nothing",
            "activate it, a day after the first `up`, in the Billing console under Cost allocation tags",
        )
