"""The stack outputs that an env entry may name with `from`, once, as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from slipway.settings.outputs import Bucket, Database, Outputs, Redis
from slipway.settings.stack import Stack

Part = Literal["site", "database", "redis", "uploads"]


@dataclass(frozen=True)
class Ref:
    """One output: the part of the platform it needs, whether it holds a credential, how to read it.

    `read` returns None when the platform does not give it. The text may hold `${secret:NAME}`.
    """

    part: Part
    read: Callable[[Outputs], str | None]
    secret: bool = False


def _database(read: Callable[[Database], str]) -> Callable[[Outputs], str | None]:
    return lambda outputs: read(outputs.database) if outputs.database else None


def _redis(read: Callable[[Redis], str]) -> Callable[[Outputs], str | None]:
    return lambda outputs: read(outputs.redis) if outputs.redis else None


def _uploads(read: Callable[[Bucket], str | None]) -> Callable[[Outputs], str | None]:
    return lambda outputs: read(outputs.uploads) if outputs.uploads else None


def _endpoint(bucket: Bucket) -> str:
    return bucket.endpoint or f"https://s3.{bucket.region}.amazonaws.com"


def _secret_key(bucket: Bucket) -> str | None:
    return f"${{secret:{bucket.secret_key_secret}}}" if bucket.secret_key_secret else None


REFS: dict[str, Ref] = {
    "url": Ref("site", lambda outputs: outputs.url),
    "database.url": Ref("database", _database(lambda database: database.url), secret=True),
    "database.migrate_url": Ref("database", _database(lambda database: database.migrate_url), secret=True),
    "database.app_role": Ref("database", _database(lambda database: database.app_role)),
    "database.ca_file": Ref("database", _database(lambda database: database.ca_file)),
    "redis.url": Ref("redis", _redis(lambda redis: redis.url), secret=True),
    "redis.namespace": Ref("redis", _redis(lambda redis: redis.namespace)),
    "uploads.bucket": Ref("uploads", _uploads(lambda bucket: bucket.bucket)),
    "uploads.region": Ref("uploads", _uploads(lambda bucket: bucket.region)),
    "uploads.endpoint": Ref("uploads", _uploads(_endpoint)),
    "uploads.public_endpoint": Ref(
        "uploads", _uploads(lambda bucket: bucket.public_endpoint or _endpoint(bucket))
    ),
    "uploads.access_key": Ref("uploads", _uploads(lambda bucket: bucket.access_key)),
    "uploads.secret_key": Ref("uploads", _uploads(_secret_key), secret=True),
}


def why_absent(ref: Ref, stack: Stack) -> str | None:
    """Why `stack` has no such output, or None if it has."""
    if ref.part == "database" and stack.database == "none":
        return f"stack {stack.name} has no database (slipway:database is none)"
    if ref.part == "database" and stack.database == "external":
        return f"stack {stack.name} uses a database of your own (slipway:database is external)"
    if ref.part == "redis" and not stack.redis:
        return f"stack {stack.name} has no Redis (slipway:redis is false)"
    if ref.part == "uploads" and not stack.uploads:
        return f"stack {stack.name} has no uploads bucket (slipway:uploads is false)"
    return None
