"""Names that AWS wants shorter than a fleet's may be."""

from __future__ import annotations

import hashlib

LOAD_BALANCER = 32
"""Longest name of a load balancer, target group or trust store."""
REPLICATION_GROUP = 40
"""Longest id of an ElastiCache replication group."""
_DIGEST = 6


def short_name(name: str, longest: int) -> str:
    """`name`; or, if longer than `longest`, its beginning and a digest of it, so that names stay apart."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{name[: longest - _DIGEST - 1].rstrip('-')}-{digest}"
