"""What AWS offers to this account, by its own answers: zones for a new stack; EC2 types, RDS classes in them.

slipway/settings/aws_offered.py says the same from a dated table, where there are no credentials.
"""

from collections.abc import Iterator
from typing import Any

from slipway.platforms.aws.session import AwsInput, AwsRefused, AwsSession
from slipway.settings import BadInput, Stack
from slipway.settings.aws import Aws
from slipway.settings.aws_names import FLEET_TAG
from slipway.settings.aws_offered import region_zones, zone_ids


def choose_zones(session: AwsSession, stack: Stack, aws: Aws) -> list[str]:
    """Ids of the zones that a stack is to keep: those of its subnets, then the first that have all it wants.

    ElastiCache does not say what it has where. BadInput, with what each zone lacks: too few are left.
    """
    names = _zone_names(session)
    chosen = _zones_of_subnets(session, stack.fleet_id)
    types = sorted({aws.web.type, aws.worker.type})
    types_in, class_in = _type_zones(session, types), _class_zones(session, stack, aws)
    lacking: list[str] = []
    for zone in region_zones(aws.region):
        lacks = ["this account"] if zone not in names else []
        if names.get(zone) and types_in is not None:
            lacks += [kind for kind in types if (kind, zone) not in types_in]
        if names.get(zone) and class_in:
            lacks += [aws.database.type] if names[zone] not in class_in else []
        if lacks:
            lacking.append(f"{zone}: not for {', '.join(lacks)}")
        elif zone not in chosen:
            chosen.append(zone)
    if len(chosen) < aws.network.zones:
        raise BadInput(
            f"{aws.region} has {len(chosen)} zones for stack {stack.name}, and it wants {aws.network.zones}",
            details=lacking,
            remedy="other types, fewer zones, or another region",
        )
    return chosen[: aws.network.zones]


def _zone_names(session: AwsSession) -> dict[str, str]:
    """By id, the names in this account of the zones that it may use; no Local Zones."""
    types = [{"Name": "zone-type", "Values": ["availability-zone"]}]
    found = session.call("ec2", "describe_availability_zones", Filters=types)["AvailabilityZones"]
    usable = (each for each in found if each.get("State", "available") == "available")
    return {each["ZoneId"]: each["ZoneName"] for each in usable}


def _zones_of_subnets(session: AwsSession, fleet: str) -> list[str]:
    """Ids of the zones in which the stack has subnets, in the order of their names."""
    tagged = [{"Name": f"tag:{FLEET_TAG}", "Values": [fleet]}]
    found = session.call("ec2", "describe_subnets", Filters=tagged)["Subnets"]
    named = {
        tag["Value"]: each["AvailabilityZoneId"]
        for each in found for tag in each.get("Tags", ()) if tag["Key"] == "Name"
    }  # fmt: skip
    return list(dict.fromkeys(named[name] for name in sorted(named)))


def not_offered(session: AwsSession, stack: Stack, aws: Aws) -> Iterator[str]:
    """A line for each thing in the settings that cannot be had. What may not be asked is not judged."""
    wanted = zone_ids(aws)
    try:
        names = _zone_names(session)
    except (AwsInput, AwsRefused):
        names = dict.fromkeys(wanted, "")
    if missing := [zone for zone in wanted if zone not in names]:
        yield (
            f"zone {', '.join(missing)}: this account has {', '.join(sorted(names))}"
            f" (remove network.zone_ids: slipway bootstrap --stack {stack.name} writes others)"
        )
    types = sorted({aws.web.type, aws.worker.type})
    offered = _type_zones(session, types)
    for kind in types:
        if missing := [zone for zone in wanted if offered is not None and (kind, zone) not in offered]:
            yield f"EC2 has no {kind} in {', '.join(missing)}: choose another type or other zones"
    if stack.database == "postgres":
        yield from _database(session, {names[each]: each for each in wanted if names.get(each)}, aws)


def _type_zones(session: AwsSession, types: list[str]) -> set[tuple[str, str]] | None:
    """EC2 types with the ids of the zones that have them."""
    found = _ask(
        session, "ec2", "describe_instance_type_offerings", "InstanceTypeOfferings",
        LocationType="availability-zone-id", Filters=[{"Name": "instance-type", "Values": types}],
    )  # fmt: skip
    return None if found is None else {(each["InstanceType"], each["Location"]) for each in found}


def _class_zones(session: AwsSession, stack: Stack, aws: Aws) -> set[str]:
    """Names of the zones that have the database's class; empty: RDS does not say."""
    found = _orderable(session, aws) if stack.database == "postgres" else None
    version = aws.database.version
    fits = [each for each in found or () if f"{each['EngineVersion']}.".startswith(f"{version}.")]
    return {zone["Name"] for each in fits for zone in each.get("AvailabilityZones", ())}


def _orderable(session: AwsSession, aws: Aws) -> list[dict[str, Any]] | None:
    return _ask(
        session, "rds", "describe_orderable_db_instance_options", "OrderableDBInstanceOptions",
        Engine="postgres", DBInstanceClass=aws.database.type, Vpc=True,
    )  # fmt: skip


def _database(session: AwsSession, wanted: dict[str, str], aws: Aws) -> Iterator[str]:
    """`wanted`: names of the stack's zones in this account, to their ids."""
    kind, version = aws.database.type, aws.database.version
    found = _orderable(session, aws)
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
    if wanted and zones and len(zones & set(wanted)) < least:
        has = ", ".join(sorted(wanted[zone] for zone in zones & set(wanted))) or "none of the stack's zones"
        must = ", ".join(wanted.values())
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
