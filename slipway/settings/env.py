"""The env contract: who gets a variable, what its value may be, which outputs it may name, and its rules."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from slipway.settings.app import App, EnvVar
from slipway.settings.outputs import Bucket, Database, Outputs, Redis
from slipway.settings.stack import Stack
from slipway.settings.violations import Broken, did_you_mean, shown

SCOPES = ("migrate", "task", "cron", "smoke")
"""What an environment is composed for besides processes."""


def known_scopes(app: App) -> list[str]:
    """Every scope of `app`: its processes, then SCOPES."""
    return [*app.processes, *SCOPES]


def reaches(var: EnvVar, scope: str) -> bool:
    """True if `var` is in the env of `scope`.

    Without a scope it reaches every process, task and cron entry; plain values reach migrations too, but
    credentials only where their scope names them. Smoke steps get only what is scoped to them.
    """
    if var.scope:
        return scope in var.scope
    if scope == "migrate":
        return not var.secret and var.source is None
    return scope != "smoke"


def misfits(var: EnvVar, value: str, stack: str | None = None) -> Iterator[str]:
    """What is wrong with `value` for `var`, on `stack` if one is given. No message contains the value."""
    if var.kind == "integer" and not re.fullmatch(r"[+-]?[0-9]+", value):
        yield "must be a whole number"
    if var.kind == "boolean" and value not in ("true", "false", "1", "0"):
        yield "must be true, false, 1 or 0"
    if var.kind == "url" and not is_url(value):
        yield 'must be a URL with scheme and host, for example "https://example.com"'
    if len(value) < var.min_length:
        yield f"must be at least {var.min_length} characters, has {len(value)}"
    of_stack = var.stack_pattern.get(stack, var.stack_pattern.get("*")) if stack else None
    for pattern in (var.pattern, of_stack):
        if pattern is not None and not re.fullmatch(pattern, value):
            yield f"must match {pattern}"


def is_url(value: str) -> bool:
    """True for `scheme://host…` and for what has no host by nature (`file:/data/app.db`)."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    if re.search(r"\s", value) or not re.fullmatch(r"[a-z][a-z0-9+.-]*", parts.scheme):
        return False
    return bool(parts.netloc or (parts.scheme in ("file", "sqlite") and parts.path))


Part = Literal["site", "database", "redis", "uploads"]


@dataclass(frozen=True)
class Ref:
    """One output: the part of the platform it needs, whether it holds a credential, how to read it.

    `read` returns None where the platform does not provide it. The text may hold `${secret:NAME}`.
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
    "uploads.prefix": Ref("uploads", _uploads(lambda bucket: bucket.prefix)),
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


_GIVEN_BY_HOSTS = ("PORT", "HOST")
_OURS = ("SLIPWAY_", "PLATFORM_")
_FEWEST_BYTES, _MOST_BYTES = 16, 1024
"""128 bits cannot be guessed; more than a kilobyte does not belong in an environment variable."""
_STACK = re.compile(r"^(\*|[a-z][a-z0-9-]{0,30})$")


def env_rules(app: App) -> Iterator[Broken]:
    """What is wrong with [env] and client_prefixes."""
    for index, prefix in enumerate(app.client_prefixes):
        if not prefix:
            yield ("client_prefixes", index), "must not be empty: it would match every variable", ""
    scopes = known_scopes(app)
    for name, var in app.env.items():
        yield from _name(name)
        yield from _source(name, var)
        yield from _client(app, name, var)
        yield from _scopes(name, var, scopes)
        patterns = list(_patterns(name, var))
        yield from patterns
        yield from _generated(name, var)
        if var.value is not None and not patterns:
            for problem in misfits(var, var.value):
                yield ("env", name, "value"), problem, ""


def _name(name: str) -> Iterator[Broken]:
    if name in _GIVEN_BY_HOSTS:
        yield ("env", name), "is set by the host for every process", "remove it"
    elif name.startswith(_OURS):
        yield ("env", name), f"names that begin with {' and '.join(_OURS)} are reserved", "choose another"


def _source(name: str, var: EnvVar) -> Iterator[Broken]:
    if var.source is not None and var.source not in REFS:
        yield (
            ("env", name, "from"),
            f"is not a stack output, got {shown(var.source)}",
            did_you_mean(var.source, list(REFS)),
        )


def _client(app: App, name: str, var: EnvVar) -> Iterator[Broken]:
    prefix = next((prefix for prefix in app.client_prefixes if prefix and name.startswith(prefix)), None)
    ref = REFS.get(var.source or "")
    if not prefix and not var.client:
        return
    why = f"{prefix} is a client prefix: browsers would see it" if prefix else "browsers would see it"
    if var.secret:
        yield ("env", name), f"must not be a secret: {why}", "rename it, or remove secret = true"
    elif ref is not None and ref.secret:
        yield ("env", name, "from"), f"must not be {shown(var.source)}, which holds a credential: {why}", ""
    elif not var.client:
        yield (
            ("env", name),
            f"must have client = true: {prefix} is a client prefix",
            "variables that browsers see must be declared as such",
        )


def _scopes(name: str, var: EnvVar, scopes: list[str]) -> Iterator[Broken]:
    for index, scope in enumerate(var.scope):
        if scope not in scopes:
            yield (
                ("env", name, "scope", index),
                f"there is no process or scope {shown(scope)}",
                did_you_mean(scope, scopes),
            )


def _patterns(name: str, var: EnvVar) -> Iterator[Broken]:
    given = [(("env", name, "pattern"), var.pattern)] if var.pattern is not None else []
    given += [(("env", name, "stack_pattern", stack), text) for stack, text in var.stack_pattern.items()]
    for place, pattern in given:
        try:
            re.compile(pattern)
        except re.error as error:
            yield place, f"is not a regular expression: {error}", ""
    for stack in var.stack_pattern:
        if not _STACK.match(stack):
            yield (
                ("env", name, "stack_pattern", stack),
                'must be the name of a stack, or "*" for the others',
                "",
            )


def _generated(name: str, var: EnvVar) -> Iterator[Broken]:
    if var.generate is None:
        return
    place = ("env", name, "generate")
    if not var.secret:
        yield place, "needs secret = true: only secrets are generated", "add it, or remove generate"
    form, _, digits = var.generate.partition(":")
    size = int(digits)
    if not _FEWEST_BYTES <= size <= _MOST_BYTES:
        yield place, f"must be {_FEWEST_BYTES} to {_MOST_BYTES} bytes, got {size}", f'for example "{form}:32"'
        return
    length = size * 2 if form == "hex" else math.ceil(size / 3) * 4
    if length < var.min_length:
        needed = math.ceil(var.min_length / 2) if form == "hex" else math.ceil(var.min_length / 4 * 3)
        yield (
            place,
            f"makes {length} characters, and min_length is {var.min_length}",
            f'write "{form}:{needed}"',
        )
