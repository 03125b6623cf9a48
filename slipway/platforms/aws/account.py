"""What an account must have before a first stack: linked roles, room in its quotas, a plan that allows it."""

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.platforms.aws.offered import not_offered
from slipway.platforms.aws.session import AwsInput, AwsRefused, AwsSession
from slipway.progress import Progress
from slipway.settings import BadInput, Stack
from slipway.settings.aws import Aws

LINKED_SERVICES = (
    "autoscaling.amazonaws.com",
    "elasticache.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "rds.amazonaws.com",
)
"""Services whose role a fresh account does not have: the first call that needs it fails, the second works.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html"""

_HAS_ONE = {"InvalidInput", "InvalidInputException", "EntityAlreadyExists"}
"""IAM's answers if the service has its role already."""

VCPUS = ("ec2", "L-1216C47A", "vCPUs of running on-demand standard instances")
ADDRESSES = ("ec2", "L-0263D0A3", "elastic IP addresses")
NETWORKS = ("vpc", "L-F678F1CE", "VPCs")
"""Service, code and name of a quota: https://docs.aws.amazon.com/general/latest/gr/ec2-service.html"""


def make_linked_roles(session: AwsSession, progress: Progress) -> None:
    """Make the service-linked roles that are not there yet. A role without the right to make one says so."""
    for service in LINKED_SERVICES:
        try:
            session.call("iam", "create_service_linked_role", AWSServiceName=service)
            progress.line(f"made the service-linked role of {service}")
        except AwsRefused as refused:
            if refused.code not in _HAS_ONE:
                raise
        except AwsInput as denied:
            if denied.code != "AccessDenied":
                raise
            progress.line(f"may not make the service-linked role of {service}: it must be there already")


def refuse_small_account(session: AwsSession, stack: Stack) -> None:
    """BadInput, naming each, if the account has no room for a new stack, or AWS not what it wants."""
    if stack.aws is None:
        return
    if missing := list(not_offered(session, stack, stack.aws)):
        raise BadInput(
            f"AWS does not offer what stack {stack.name} wants, so nothing was made",
            details=missing,
            remedy=f"choose others in Pulumi.{stack.name}.yaml",
        )
    if found := [*_plan(session), *_quotas(session, stack.aws)]:
        raise BadInput(
            f"account {stack.aws.account} has no room for stack {stack.name}, so nothing was made",
            details=found,
            remedy="request increases (Service Quotas in the console; hours to days), or set smaller sizes",
        )


def request_increases(session: AwsSession, stack: Stack, progress: Progress) -> list[str]:
    """Request room in each quota that is too small for the stack; what then is awaited, a line each."""
    awaited: list[str] = []
    for need in _needs(session, stack.aws) if stack.aws else ():
        if need.limit is None or need.total <= need.limit:
            continue
        given = {"ServiceCode": need.service, "QuotaCode": need.code}
        history = "list_requested_service_quota_change_history_by_quota"
        asked = session.call("service-quotas", history, **given).get("RequestedQuotas", [])
        if not any(each["Status"] in _OPEN and each["DesiredValue"] >= need.total for each in asked):
            wanted = float(need.total)
            session.call("service-quotas", "request_service_quota_increase", **given, DesiredValue=wanted)
            progress.line(f"requested {need.total} {need.what} in place of {need.limit:g}")
        awaited.append(
            f"wait until AWS allows {need.total} {need.what} ({need.code}; hours to days, in Service Quotas)"
        )
    return awaited


def _plan(session: AwsSession) -> Iterator[str]:
    try:
        plan = session.call("freetier", "get_account_plan_state").get("accountPlanType")
    except (AwsInput, AwsRefused):
        return  # an account from before there were plans, or no right to ask: quotas still count
    if plan == "FREE":
        yield "the account is on AWS' free plan, which refuses RDS backups and larger classes: upgrade it"


@dataclass(frozen=True)
class Need:
    """What a stack needs of one quota. `limit` None: it cannot be read."""

    service: str
    code: str
    what: str
    more: int
    used: int
    limit: float | None

    @property
    def total(self) -> int:
        """With what is used already."""
        return self.used + self.more


_OPEN = {"PENDING", "CASE_OPENED", "APPROVED"}
"""States of a request that need not be made again."""


def _quotas(session: AwsSession, aws: Aws) -> Iterator[str]:
    for need in _needs(session, aws):
        if need.limit is not None and need.total > need.limit:
            yield (
                f"{need.what}: {need.more} more are needed, {need.used} are used, {need.limit:g} are allowed"
                f" ({need.code})"
            )


def _needs(session: AwsSession, aws: Aws) -> Iterator[Need]:
    gateways = 1 if aws.network.nat == "one" else aws.network.zones
    # During a replacement there is one host more in each group.
    hosts = {aws.web.type: 0, aws.worker.type: 0}
    for group in (aws.web, aws.worker):
        hosts[group.type] += group.min + 1
    cpus = _cpus(session, tuple(hosts))
    for quota, needed, used in (
        (VCPUS, sum(cpus[kind] * count for kind, count in hosts.items()), _cpus_in_use(session)),
        (ADDRESSES, gateways, len(session.call("ec2", "describe_addresses").get("Addresses", []))),
        (NETWORKS, 1, len(session.pages("ec2", "describe_vpcs", "Vpcs"))),
    ):
        service, code, what = quota
        yield Need(service, code, what, needed, used, _limit(session, service, code))


def _limit(session: AwsSession, service: str, code: str) -> float | None:
    """The account's quota; None if it cannot be read."""
    try:
        answer = session.call("service-quotas", "get_service_quota", ServiceCode=service, QuotaCode=code)
    except (AwsInput, AwsRefused):
        return None
    return float(answer["Quota"]["Value"])


def _cpus(session: AwsSession, kinds: tuple[str, ...]) -> dict[str, int]:
    """vCPUs by instance type."""
    found = session.call("ec2", "describe_instance_types", InstanceTypes=sorted(set(kinds)))["InstanceTypes"]
    return {each["InstanceType"]: each["VCpuInfo"]["DefaultVCpus"] for each in found}


def _cpus_in_use(session: AwsSession) -> int:
    running = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    reservations = session.pages("ec2", "describe_instances", "Reservations", Filters=running)
    options = [each.get("CpuOptions", {}) for one in reservations for each in one["Instances"]]
    return sum(each.get("CoreCount", 1) * each.get("ThreadsPerCore", 2) for each in options)
