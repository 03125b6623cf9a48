"""What AWS offers to this account in the stack's zones, by its own answers: zones, EC2 types, RDS classes.

slipway/settings/aws_offered.py says the same from a dated table, where there are no credentials.
"""

from collections.abc import Iterator
from typing import Any

from slipway.platforms.aws.session import AwsInput, AwsRefused, AwsSession
from slipway.settings import Stack
from slipway.settings.aws import Aws
from slipway.settings.aws_offered import zone_letters


def not_offered(session: AwsSession, stack: Stack, aws: Aws) -> Iterator[str]:
    """A line for each thing in the settings that cannot be had. What may not be asked is not judged."""
    wanted = [f"{aws.region}{letter}" for letter in zone_letters(aws)]
    yield from _zones(session, wanted)
    yield from _instance_types(session, wanted, sorted({aws.web.type, aws.worker.type}))
    if stack.database == "postgres":
        yield from _database(session, wanted, aws)


def _zones(session: AwsSession, wanted: list[str]) -> Iterator[str]:
    found = _ask(session, "ec2", "describe_availability_zones", "AvailabilityZones")
    known = {each["ZoneName"] for each in found or () if each.get("State", "available") == "available"}
    missing = [zone for zone in wanted if known and zone not in known]
    if missing:
        letters = "".join(sorted(zone[-1] for zone in known))
        yield (
            f"zone {', '.join(missing)}: this account has {', '.join(sorted(known))}"
            f' (slipway:aws.network.zone_letters: "{letters[: len(wanted)]}")'
        )


def _instance_types(session: AwsSession, wanted: list[str], types: list[str]) -> Iterator[str]:
    found = _ask(
        session, "ec2", "describe_instance_type_offerings", "InstanceTypeOfferings",
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": types}],
    )  # fmt: skip
    if found is None:
        return
    offered = {(each["InstanceType"], each["Location"]) for each in found}
    for kind in types:
        if missing := [zone for zone in wanted if (kind, zone) not in offered]:
            yield f"EC2 has no {kind} in {', '.join(missing)}: choose another type or other zones"


def _database(session: AwsSession, wanted: list[str], aws: Aws) -> Iterator[str]:
    kind, version = aws.database.type, aws.database.version
    found = _ask(
        session, "rds", "describe_orderable_db_instance_options", "OrderableDBInstanceOptions",
        Engine="postgres", DBInstanceClass=kind, Vpc=True,
    )  # fmt: skip
    if found is None:
        return
    fits = [each for each in found if f"{each['EngineVersion']}.".startswith(f"{version}.")]
    if not fits:
        majors = sorted({str(each["EngineVersion"]).partition(".")[0] for each in found}, key=int)
        has = f"it has it for {', '.join(majors)}" if majors else "it does not have that class at all"
        yield f"RDS has no {kind} for PostgreSQL {version} in {aws.region}: {has}"
        return
    zones = {zone["Name"] for each in fits for zone in each.get("AvailabilityZones", ())}
    least = 2 if aws.database.multi_az else 1
    if zones and len(zones & set(wanted)) < least:
        has, must = ", ".join(sorted(zones)), ", ".join(wanted)
        yield f"RDS has {kind} in {has}, and {least} of {must} must be there"


def _ask(
    session: AwsSession, service: str, operation: str, key: str, **given: Any
) -> list[dict[str, Any]] | None:
    """All items of an answer; None: it may not be asked, or AWS does not answer it here."""
    mark = "Marker" if service == "rds" else "NextToken"
    items: list[dict[str, Any]] = []
    token = ""
    while True:
        try:
            answer = session.call(service, operation, **given, **({mark: token} if token else {}))
        except (AwsInput, AwsRefused):
            return None
        items += answer.get(key, [])
        token = str(answer.get(mark) or "")
        if not token:
            return items
