"""Connections to database, Redis and buckets through a web host, with the app's own accounts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from checks.kit.check import could_not_be_tried, not_evaluated
from checks.kit.roots import DATABASE
from slipway.stack import Bucket, BucketOutput, LiveStack, SlipwayError

SECONDS = 10


@dataclass(frozen=True)
class Place:
    """A service of the stack, and the local end of a tunnel to it."""

    host: str
    port: int
    local_port: int
    user: str
    password: str
    name: str
    """Name of the database."""
    tls: bool

    @classmethod
    def of(cls, live: LiveStack, url: str) -> Place:
        """The place in an output's URL, whose `${secret:…}` is replaced by the value."""
        parts = urlsplit(re.sub(r"\$\{secret:(\w+)\}", lambda match: live.secret(match[1]), url))
        host, port = parts.hostname or "", parts.port or 0
        return cls(
            host=host,
            port=port,
            local_port=tunnel(live, host, port),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            name=parts.path.lstrip("/"),
            tls=parts.scheme == "rediss" or "sslmode=" in parts.query,
        )


def user_of(url: str) -> str:
    """The user in an output's URL."""
    return unquote(urlsplit(url).username or "")


def tunnel(live: LiveStack, host: str, port: int) -> int:
    """A port of 127.0.0.1 that leads to `host:port` as a web host sees it."""
    return live.tunnel(live.outputs.by_role("web")[0].name, host, port)


def database_url(live: LiveStack) -> str:
    """The app's URL; ends the check if the platform provides no database."""
    if live.outputs.database is None:
        not_evaluated("the database is one of your own, or there is none (slipway:database)")
    return live.outputs.database.url


def owner_url(live: LiveStack) -> str:
    """The URL of the migrations' role."""
    database_url(live)
    return live.outputs.database.migrate_url if live.outputs.database else ""


def ca_file(live: LiveStack) -> str:
    """Path of the CA that signed the services' certificates; empty: the system's CAs."""
    return live.outputs.builds.ca_file or live.outputs.ca_file


def connect_database(
    live: LiveStack, url: str, *, sslmode: str = "verify-full", direct: bool = False, **other: str
) -> psycopg.Connection[tuple[object, ...]]:
    """A connection by `url` through a tunnel; the certificate must be for the name in the URL.

    `direct`: to the server itself, where the URL leads to the pooler. `other`: user, password or dbname that
    replace the URL's. Raises psycopg.OperationalError if it is refused; where that is the URL's own account,
    the check could not be tried.
    """
    try:
        return _connected(live, url, sslmode, direct, other)
    except psycopg.OperationalError as error:
        if other or sslmode != "verify-full" or not PASSWORD_FAILED.search(str(error)):
            raise
        could_not_be_tried(f"the database refuses the account {user_of(url)}", DATABASE)


def shut_out(live: LiveStack) -> str:
    """Which of the app's accounts the database refuses, as far as it answers; empty: none."""
    if live.outputs.database is None:
        return ""
    refused: list[str] = []
    for url in (database_url(live), owner_url(live)):
        try:
            _connected(live, url, "verify-full", False, {}).close()
        except psycopg.OperationalError as error:
            refused += [user_of(url)] if PASSWORD_FAILED.search(str(error)) else []
        except (SlipwayError, OSError, RuntimeError):
            return ""  # the host on the way to it is away, which another check reports
    if not refused:
        return ""
    return f"the database refuses {' and '.join(refused)}, with the passwords of the secret store"


def _connected(
    live: LiveStack, url: str, sslmode: str, direct: bool, other: Mapping[str, str]
) -> psycopg.Connection[tuple[object, ...]]:
    place = Place.of(live, url)
    server = Place.of(live, owner_url(live)) if direct else place
    account = {"user": place.user, "password": place.password, "dbname": place.name, **other}
    return psycopg.connect(
        host=server.host,
        hostaddr="127.0.0.1",
        port=server.local_port,
        user=account["user"],
        password=account["password"],
        dbname=account["dbname"],
        sslmode=sslmode,
        sslrootcert=ca_file(live) or "system",
        passfile="/dev/null",  # a password of this machine proves nothing
        connect_timeout=SECONDS,
        autocommit=True,
        prepare_threshold=None,
    )


PASSWORD_FAILED = re.compile(r"password authentication failed|(?:SASL|SCRAM) authentication failed")
SERVER = "I5/the-database-runs-with-what-its-files-say"
POOLER = "I5/the-pooler-runs-as-its-file-says"
"""Ids of the checks that fail if PostgreSQL or its pooler does not work."""
REFUSED = re.compile(
    r"password authentication failed|no pg_hba.conf entry|no password supplied|SSL required|SSL is required"
    r"|(?:SASL|SCRAM|peer|certificate) authentication failed|no such (?:user|database)|not allowed"
    r"|does not exist|cannot connect|bouncer config error|requires? SSL|is not permitted to log in"
)
"""What PostgreSQL and PgBouncer say when they refuse an account. Any other failure proves nothing."""


def refusal(live: LiveStack, *, direct: bool, sslmode: str, **other: str) -> str:
    """Why the pooler (`direct`: the server itself) refuses a connection; empty: it accepts it.

    `other` replaces parts of the app's URL. A server that is away is no proof: the check then ends as one
    that could not be tried.
    """
    try:
        connect_database(live, database_url(live), direct=direct, sslmode=sslmode, **other).close()
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()[-1]
        if not REFUSED.search(str(error)):
            where = "PostgreSQL" if direct else "the pooler"
            could_not_be_tried(f"{where} refuses no one, it fails: {said}", SERVER if direct else POOLER)
        return said
    return ""


def released_migrations(live: LiveStack, release: int) -> list[str]:
    """Ids of the migrations of `release`; ends the check if no file of it is one."""
    found = live.migrations(release)
    if not found and live.app.migrate:
        not_evaluated(
            f"the release has no migration: migrate.files is {live.app.migrate.files} in slipway.toml"
        )
    return found


def ask(
    connection: psycopg.Connection[tuple[object, ...]], query: str, *values: object
) -> list[tuple[object, ...]]:
    """The rows of a query, whose `%s` are `values`."""
    with connection.cursor() as cursor:
        cursor.execute(query.encode(), values or None)
        return cursor.fetchall()


def connect_redis(live: LiveStack, *, password: str | None = None) -> redis.Redis:
    """Redis by the app's URL, or with another `password`; empty: without one."""
    if live.outputs.redis is None:
        not_evaluated("the stack has no Redis (slipway:redis)")
    place = Place.of(live, live.outputs.redis.url)
    given = place.password if password is None else password
    return redis.Redis(
        host="127.0.0.1",
        port=place.local_port,
        username=place.user or None,
        password=given or None,
        ssl=place.tls,
        # The tunnel ends on 127.0.0.1, which the certificate does not name; the chain is still verified.
        ssl_check_hostname=False,
        socket_timeout=SECONDS,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


def open_bucket(live: LiveStack, place: BucketOutput, account: BucketOutput) -> Bucket:
    """The bucket of `place` with the account of `account`; ends the check if this machine cannot have it."""
    bucket = live.open_bucket(place, account)
    if bucket is None:
        not_evaluated("hosts use a role here, which this machine cannot take")
    return bucket
