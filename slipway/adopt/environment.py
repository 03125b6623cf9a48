"""Which variables the app reads, and where each one's value comes from."""

import re
from dataclasses import dataclass, field

from slipway.adopt.formats import Given
from slipway.adopt.recipe import Recipe
from slipway.adopt.repository import Repository

GIVEN = {
    *("READY_FILE", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    *(
        "PORT",
        "HOST",
        "HOSTNAME",
        "HOME",
        "PATH",
        "PWD",
        "USER",
        "SHELL",
        "TZ",
        "LANG",
        "TMPDIR",
        "CI",
        "DEBUG",
    ),
    *("DEV", "PROD", "MODE", "SSR", "BASE", "DJANGO_SETTINGS_MODULE", "SECRET_KEY_BASE_DUMMY"),
    "BUNDLE_GEMFILE",
}
"""Set by the host, the runtime or the build tool: nothing to declare."""
LIBPQ_CA_FILE = "PGSSLROOTCERT"
"""Where libpq, and clients that follow it, find the authority of the database; JavaScript's do not."""
TEMPLATES = (".env.example", ".env.sample", ".env.template", "env.example")
_SECRET = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE|API_?KEY|ACCESS_?KEY|CREDENTIAL|_DSN$|_KEY$|SALT|MASTER_KEY"
)
_OWN_SECRET = re.compile(
    r"^(?:\w+_)?(?:SECRET|SECRET_KEY|SECRET_KEY_BASE|(?:JWT|AUTH|SESSION|COOKIE|CRON|NEXTAUTH|BETTER_AUTH|APP|CSRF)_\w*"
    r"(?:SECRET|KEY))$"
)
"""Random bytes that only this app knows; others are issued by someone else."""
_ISSUED = re.compile(r"API|CLIENT|STRIPE|OPENAI|AWS|S3|GITHUB|GOOGLE|WEBHOOK|ACCESS|APP_STORE")
_CLIENT = ("NEXT_PUBLIC_", "VITE_", "PUBLIC_CLIENT_", "REACT_APP_")
OUTPUTS = {
    r"(?:DATABASE|POSTGRES|DB)_MIGRATE_URL|MIGRATE_DATABASE_URL|DIRECT_URL": "database.migrate_url",
    r"DATABASE_APP_ROLE": "database.app_role",
    r"DATABASE_CA_FILE|S3_CA_FILE|PGSSLROOTCERT": "database.ca_file",
    r"REDIS_NAMESPACE": "redis.namespace",
    r"S3_PUBLIC_ENDPOINT": "uploads.public_endpoint",
    r"DATABASE_URL|POSTGRES(?:QL)?_URL|PG_URL|DB_URL": "database.url",
    r"REDIS_URL|REDIS_URI|KV_URL|CACHE_URL|QUEUE_REDIS_URL|CELERY_BROKER_URL": "redis.url",
    r"(?:PUBLIC|APP|SITE|BASE|NEXTAUTH|AUTH|BETTER_AUTH|ORIGIN|FRONTEND|SERVER)_(?:URL|ORIGIN)|ORIGIN": "url",
    r"(?:S3|AWS|UPLOADS?)_(?:S3_)?BUCKET(?:_NAME)?": "uploads.bucket",
    r"(?:S3|AWS)_(?:DEFAULT_)?REGION": "uploads.region",
    r"(?:S3|AWS)_ENDPOINT(?:_URL)?(?:_S3)?": "uploads.endpoint",
    r"(?:S3|AWS)_ACCESS_KEY(?:_ID)?": "uploads.access_key",
    r"(?:S3|AWS)_SECRET(?:_ACCESS)?_KEY": "uploads.secret_key",
}
"""Outputs of a stack by the names that apps give them."""
_NEEDS = {"database": "postgres", "redis": "redis", "uploads": "s3"}
_PACKAGES = {
    "postgres": [
        "pg",
        "postgres",
        "@prisma/client",
        "psycopg",
        "psycopg2",
        "psycopg2-binary",
        "psycopg-binary",
        "asyncpg",
        "drizzle-orm",
        "sqlx",
    ],
    "redis": [
        "redis",
        "ioredis",
        "bullmq",
        "@upstash/redis",
        "celery",
        "rq",
        "channels-redis",
        "aioredis",
        "sidekiq",
    ],
    "s3": ["@aws-sdk/client-s3", "boto3", "aiobotocore", "django-storages", "minio"],
}
"""Packages by the service that they talk to."""
_LINE = re.compile(r"^\s*(#\s*)?(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(.*?)\s*$")


Keys = dict[str, str | bool | list[str]]
"""Keys of one entry of `[env]`."""


@dataclass(frozen=True)
class Entry:
    """One line of `[env]`: its keys, and why it is there."""

    keys: Keys
    why: str


@dataclass
class Environment:
    """The env contract of an app, and the services that it uses."""

    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    services: dict[str, str] = field(default_factory=dict[str, str])
    """Why each of postgres, redis, s3 is needed."""
    read: set[str] = field(default_factory=set[str])
    """Variables that the source reads."""


def environment(repository: Repository, given: list[Given], recipe: Recipe) -> Environment:
    """What templates of `.env`, other tools' files, the source and the recipe say."""
    found = Environment(services=services(repository, given), read=set(repository.env_reads))
    template = repository.first(*TEMPLATES)
    for line in repository.text(template).splitlines() if template else ():
        if (match := _LINE.match(line)) and not (match[1] and " " in match[3]):
            _add(found, match[2], match[3].strip("\"'"), template, optional=bool(match[1]))
    for file in given:
        for name in file.secrets:
            _add(found, name, "", file.file, secret=True)
        for name, value in file.env.items():
            _add(found, name, value, file.file)
    for name, value in recipe.env.items():
        _add(found, name, value, recipe.title, optional=True)
    for name, file in sorted(repository.env_reads.items()):
        _add(found, name, "", file, optional=True)
    by_libpq = "postgres" in found.services and not repository.packages
    if by_libpq and "DATABASE_CA_FILE" not in found.entries:
        _add(found, LIBPQ_CA_FILE, "", "PostgreSQL's own library reads it", optional=True)
    return found


def services(repository: Repository, given: list[Given]) -> dict[str, str]:
    """The services that the app uses (postgres, redis, s3), and why we think so."""
    found: dict[str, str] = {}
    named = {**dict.fromkeys(repository.python | repository.gems | repository.crates), **repository.js}
    for service, packages in _PACKAGES.items():
        if used := sorted(set(packages) & set(named)):
            found[service] = f"{used[0]} among the dependencies"
        for file in given:
            if service in file.services:
                found[service] = f"an image in {file.file}"
        for name in repository.env_reads:
            output = output_of(name)
            if service not in found and output and _NEEDS.get(output.partition(".")[0]) == service:
                found[service] = f"{name} in {repository.env_reads[name]}"
    return found


def output_of(name: str) -> str:
    """The output of a stack that a variable of this name holds; empty if none."""
    return next((output for pattern, output in OUTPUTS.items() if re.fullmatch(pattern, name)), "")


def _add(
    found: Environment, name: str, value: str, file: str, *, secret: bool = False, optional: bool = False
) -> None:
    if name in found.entries or name in GIVEN or name.startswith(("SLIPWAY_", "npm_")):
        return
    found.entries[name] = Entry(_keys(found, name, value, secret=secret, optional=optional), file)


def _keys(found: Environment, name: str, value: str, *, secret: bool, optional: bool) -> Keys:
    output = output_of(name)
    service = _NEEDS.get(output.partition(".")[0])
    if output and (service is None or service in found.services):
        # Hosts with a role of their own on AWS need no keys; not every database has its own authority.
        missing: Keys = {"optional": True} if output.endswith(("_key", "ca_file")) else {}
        return {"from": output, **({"scope": ["migrate"]} if output == "database.migrate_url" else missing)}
    if name.startswith(_CLIENT):
        return {"client": True, **({"value": value} if value else {"optional": True})}
    if secret or _SECRET.search(name) or re.search(r"//[^/:]+:[^/@]+@", value):
        if _OWN_SECRET.match(name) and not _ISSUED.search(name):
            return {"secret": True, "generate": "base64:48"}
        return {"secret": True, **({"optional": True} if optional else {})}
    if name in ("NODE_ENV", "RACK_ENV", "RAILS_ENV"):
        value = "production"
    if value and not re.search(r"localhost|127\.0\.0\.1|^<|your[-_]|changeme", value):
        return {"value": value}
    return {"optional": True}
