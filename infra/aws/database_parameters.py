"""PostgreSQL's own settings on RDS."""

from __future__ import annotations

from typing import Literal

import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from slipway.settings.aws import Database
from slipway.settings.aws_names import AwsNames

PARAMETERS: tuple[tuple[str, str, Literal["immediate", "pending-reboot"]], ...] = (
    # Nothing without TLS (RDS.38).
    ("rds.force_ssl", "1", "immediate"),
    # What an operator asks for first: who came, what was slow, what waited, what went wrong.
    ("log_connections", "1", "immediate"),
    ("log_disconnections", "1", "immediate"),
    ("log_min_duration_statement", "500", "immediate"),
    ("log_lock_waits", "1", "immediate"),
    ("log_temp_files", "10240", "immediate"),
    ("log_autovacuum_min_duration", "10000", "immediate"),
    # A forgotten transaction holds locks and keeps vacuum from its work.
    ("idle_in_transaction_session_timeout", "60000", "immediate"),
    ("shared_preload_libraries", "pg_stat_statements", "pending-reboot"),
)
"""Name, value, when it takes effect. Times in milliseconds, sizes in kB."""


def database_parameters(name: str, names: AwsNames, settings: Database, opts: ResourceOptions) -> Output[str]:
    """Name of a parameter group of `PARAMETERS`.

    Its physical name holds the major version: a group of the next one can then stand beside it.
    """
    major = major_version(settings.version)
    return aws.rds.ParameterGroup(
        name,
        name=f"{names.fleet}-postgres{major}",
        family=f"postgres{major}",
        description=f"PostgreSQL {major} of {names.fleet}",
        parameters=[
            aws.rds.ParameterGroupParameterArgs(name=parameter, value=value, apply_method=method)
            for parameter, value, method in PARAMETERS
        ],
        opts=opts,
    ).name


def major_version(version: str) -> str:
    """`16` of `16.4`."""
    return version.partition(".")[0]
