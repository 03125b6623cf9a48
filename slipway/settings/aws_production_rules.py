"""What production must not be without: the protections that only matter on the day something goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slipway.settings.aws import Aws
from slipway.settings.stack import Stack
from slipway.settings.violations import Broken, shown

_DATABASE = "slipway:database: postgres"
_REDIS = "slipway:redis"

_DEMANDS: tuple[tuple[tuple[str, ...], Any, str, str], ...] = (
    (("protect",), True, "one wrong `pulumi destroy` takes everything", ""),
    (("load_balancer", "deletion_protection"), True, "AWS would let the site's front be deleted (ELB.6)", ""),
    (("web", "min"), 2, "one host is no site when it fails (I1)", ""),
    (("database", "deletion_protection"), True, "AWS would let the database be deleted (RDS.8)", _DATABASE),
    (("database", "final_snapshot"), True, "a deleted database would be gone for good", _DATABASE),
    (("database", "multi_az"), True, "the loss of one zone is the loss of the database (RDS.5)", _DATABASE),
    (("database", "backup_days"), 7, "a mistake is often noticed days later (RDS.11)", _DATABASE),
    (("cache", "replicas"), 1, "the loss of one zone loses the queue (ElastiCache.3)", _REDIS),
    (("cache", "snapshot_days"), 1, "a lost cache could not be brought back (ElastiCache.1)", _REDIS),
    (("cache", "final_snapshot"), True, "a deleted cache would be gone for good", _REDIS),
)
"""Key under aws, what it is at least, why, and the part of the stack it is about ("": every stack)."""


def production_rules(stack: Stack, aws: Aws) -> Iterator[Broken]:
    """What a production stack leaves unprotected."""
    has = {"": True, _DATABASE: stack.database == "postgres", _REDIS: stack.redis}
    for key, least, reason, part in _DEMANDS:
        value: Any = aws
        for name in key:
            value = getattr(value, name)
        if has[part] and value < least:
            wanted = "true" if least is True else f"at least {least}"
            yield (
                ("aws", *key),
                f"must be {wanted} in production, got {shown(value)}: {reason}",
                "remove it: the default is right; or set slipway:purpose: preview, if this is no production",
            )
    if aws.load_balancer.deregistration_seconds == 0:
        yield (
            ("aws", "load_balancer", "deregistration_seconds"),
            "must not be 0 in production: every request and socket of a leaving host would be cut",
            "remove it: the default is the app's longest drain plus 30",
        )
