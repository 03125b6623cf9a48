"""PostgreSQL and the pooler before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from infra.policies.entries import parameters
from infra.policies.rule import World, holds, made, rule, world
from infra.recording.graph import Resource

INSTANCE = "aws:rds/instance:Instance"
PARAMETERS = "aws:rds/parameterGroup:ParameterGroup"
PROXY = "aws:rds/proxy:Proxy"

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _at_least(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


SETTINGS = [
    holds(
        "database-encrypted", INSTANCE, "storageEncrypted", good=True, bad=False,
        says="The database's disk and backups are encrypted.", controls=("RDS.3",), severity="high",
    ),
    holds(
        "database-private", INSTANCE, "publiclyAccessible", good=False, bad=True,
        says="The database has no public address.", controls=("RDS.2", "I5"), severity="critical",
    ),
    holds(
        "database-deletion-protection", INSTANCE, "deletionProtection", good=True, bad=False,
        production_only=True,
        says="AWS refuses to delete production's database.", controls=("RDS.8",), severity="high",
    ),
    holds(
        "database-final-snapshot", INSTANCE, "skipFinalSnapshot", good=False, bad=True, production_only=True,
        says="Production's database leaves a snapshot behind when it is deleted.",
        controls=("I12",), severity="high",
    ),
    holds(
        "database-final-snapshot-named", INSTANCE, "finalSnapshotIdentifier", good="board-prod-final", bad="",
        when=bool, only=lambda inputs: inputs.get("skipFinalSnapshot") is False,
        given={"skipFinalSnapshot": False},
        says="The last snapshot has a name: without one AWS refuses to delete.",
        controls=("I12",), severity="medium",
    ),
    holds(
        "database-keeps-backups", INSTANCE, "deleteAutomatedBackups", good=False, bad=True,
        production_only=True,
        says="Automated backups outlive production's database.", controls=("RDS.11", "I12"), severity="high",
    ),
    holds(
        "database-backups", INSTANCE, "backupRetentionPeriod", good=7, bad=0, when=_at_least(1),
        says="The database is backed up every day.", controls=("RDS.11", "I12"), severity="high",
    ),
    holds(
        "database-week-of-backups", INSTANCE, "backupRetentionPeriod", good=14, bad=3, when=_at_least(7),
        production_only=True,
        says="Production's backups are kept for a week at least.", controls=("RDS.11", "I12"),
        severity="medium",
    ),
    holds(
        "database-rotates-master-password", INSTANCE, "manageMasterUserPassword", good=True, bad=False,
        says="RDS keeps and rotates the master user's password.", controls=("SecretsManager.1", "I9"),
        severity="high",
    ),
    holds(
        "database-insights", INSTANCE, "performanceInsightsEnabled", good=True, bad=False,
        says="Performance Insights are on.", controls=("I5",), severity="low",
    ),
    holds(
        "database-logs", INSTANCE, "enabledCloudwatchLogsExports", good=["postgresql", "upgrade"], bad=[],
        when=lambda value: isinstance(value, list) and "postgresql" in value,
        says="The database's log goes to CloudWatch.", controls=("RDS.36", "I5"), severity="medium",
    ),
    holds(
        "database-changes-wait", INSTANCE, "applyImmediately", good=False, bad=True,
        says="Changes that stop the database wait for its maintenance window.",
        controls=("I5",), severity="medium",
    ),
    holds(
        "database-major-upgrades-on-purpose", INSTANCE, "allowMajorVersionUpgrade", good=False, bad=True,
        says="A major upgrade never happens by the way.", controls=("I5",), severity="medium",
    ),
    holds(
        "database-metrics", INSTANCE, "monitoringInterval", good=60, bad=0, when=_at_least(1),
        says="Enhanced monitoring is on.", controls=("RDS.6", "I5"), severity="low",
    ),
    holds(
        "database-minor-upgrades", INSTANCE, "autoMinorVersionUpgrade", good=True, bad=False,
        # A minor version that is named is the owner's to change.
        only=lambda inputs: "." not in str(inputs.get("engineVersion", "")),
        says="The database takes security fixes by itself.", controls=("RDS.13",), severity="medium",
    ),
    holds(
        "database-snapshots-tagged", INSTANCE, "copyTagsToSnapshot", good=True, bad=False,
        says="Snapshots carry the stack's tags.", controls=("RDS.17",), severity="low",
    ),
    holds(
        "database-ca", INSTANCE, "caCertIdentifier", good="rds-ca-rsa2048-g1", bad="rds-ca-2019",
        when=lambda value: str(value).endswith("-g1"),
        says="The database's certificate is of a CA that is not about to end.",
        controls=("I5",), severity="medium",
    ),
    holds(
        "database-in-two-zones", INSTANCE, "multiAz", good=True, bad=False, production_only=True,
        says="Production's database has a standby in another zone.", controls=("RDS.5",), severity="medium",
    ),
    holds(
        "pooler-tls", PROXY, "requireTls", good=True, bad=False,
        says="The pooler takes no connection without TLS.", controls=("RDS.43", "I5"), severity="high",
    ),
]  # fmt: skip


def _parameters(*pairs: tuple[str, str]) -> World:
    return world(made(PARAMETERS, inputs={"parameters": [{"name": n, "value": v} for n, v in pairs]}))


@rule(
    "database-force-tls", PARAMETERS,
    controls=("RDS.38", "I5"), severity="high", remedy='set rds.force_ssl to "1" in the parameter group',
    passing=[_parameters(("rds.force_ssl", "1"))],
    failing=[_parameters(("rds.force_ssl", "0")), _parameters()],
)  # fmt: skip
def force_tls(group: Resource, _: World) -> Iterable[str]:
    """PostgreSQL takes no connection without TLS."""
    values = parameters(group)
    if values.get("rds.force_ssl") != "1":
        yield f"rds.force_ssl is {values.get('rds.force_ssl', 'not set')}"


_PARAMETERS = made(PARAMETERS, "own")


@rule(
    "database-own-parameters", INSTANCE,
    controls=("RDS.38",), severity="high", remedy="set parameter_group_name to the stack's own group",
    passing=[world(_PARAMETERS, made(INSTANCE, links={"parameterGroupName": _PARAMETERS}))],
    failing=[world(_PARAMETERS, made(INSTANCE, inputs={"parameterGroupName": "default.postgres16"}))],
)  # fmt: skip
def own_parameters(instance: Resource, stack: World) -> Iterable[str]:
    """The database uses the stack's own parameter group."""
    if not stack.behind(instance, "parameterGroupName", PARAMETERS):
        yield "parameterGroupName is not a parameter group of this stack"


def _instance(**inputs: object) -> World:
    return world(made(INSTANCE, inputs=inputs))


@rule(
    "database-password-never-in-state", INSTANCE,
    controls=("I9",), severity="critical", remedy="set manage_master_user_password and no password",
    passing=[_instance(manageMasterUserPassword=True)],
    failing=[_instance(password="hunter2"), _instance(passwordWo="hunter2")],  # noqa: S106 - an example
)  # fmt: skip
def password_never_in_state(instance: Resource, _: World) -> Iterable[str]:
    """No password of the database passes through Pulumi."""
    for name in ("password", "passwordWo"):
        if instance.inputs.get(name):
            yield f"{name} is given: its value would lie in the state"


@rule(
    "database-windows-apart", INSTANCE,
    controls=("RDS.11",), severity="medium", remedy="move backup_window or maintenance_window",
    passing=[_instance(backupWindow="02:00-03:00", maintenanceWindow="sun:03:30-sun:04:30")],
    failing=[
        _instance(backupWindow="03:00-04:00", maintenanceWindow="sun:03:30-sun:04:30"),
        _instance(backupWindow="23:30-00:30", maintenanceWindow="sun:00:00-sun:01:00"),
        _instance(),
    ],
)  # fmt: skip
def windows_apart(instance: Resource, _: World) -> Iterable[str]:
    """Backup and maintenance have windows of their own."""
    backup, maintenance = instance.inputs.get("backupWindow"), instance.inputs.get("maintenanceWindow")
    if not backup or not maintenance:
        yield "backupWindow or maintenanceWindow is not set"
    elif minutes(maintenance) & {
        m for day in _DAYS for m in minutes(f"{day}:{backup[:6]}{day}:{backup[6:]}")
    }:
        yield f"backup {backup} overlaps maintenance {maintenance}"


def minutes(window: str) -> set[int]:
    """Minutes of the week in `sun:03:30-sun:04:30`; what ends before it begins goes on into the next day."""
    found = re.fullmatch(r"(\w{3}):(\d\d):(\d\d)-(\w{3}):(\d\d):(\d\d)", window)
    if not found:
        return set()
    start = _DAYS.index(found[1]) * 1440 + int(found[2]) * 60 + int(found[3])
    end = _DAYS.index(found[4]) * 1440 + int(found[5]) * 60 + int(found[6])
    while end <= start:
        end += 1440 if found[1] == found[4] else 7 * 1440
    return {minute % (7 * 1440) for minute in range(start, end)}


RULES = [*SETTINGS, force_tls, own_parameters, password_never_in_state, windows_apart]
