"""Logins for the data services: database roles, Redis' token, the key of R2 uploads.

Database and Redis accept connections from hosts only, so both are reached through one."""

import hashlib
import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from hosts.plan import FleetPlan
from slipway.fleet.fleet import FleetHost
from slipway.platforms.aws.session import AwsRefused, AwsSession
from slipway.platforms.data_host import (
    CA_ON_HOSTS,
    DATABASE_APP,
    DATABASE_OWNER,
    DATABASE_PREVIEWS,
    POSTGRES_PORT,
)
from slipway.progress import Progress
from slipway.secrets.store import SecretStore
from slipway.settings import BadInput, NeedsPerson, SlipwayError

SECONDS = 180

# The first line of standard input is the password; all after it is SQL, and psql's to read.
_RUN = (
    "IFS= read -r PGPASSWORD && export PGPASSWORD && "
    'exec psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --file=- "$1"'
)


@dataclass(frozen=True)
class Login:
    """A user of the database."""

    username: str
    password: str = field(repr=False)


def ensure_roles(
    session: AwsSession, plan: FleetPlan, host: FleetHost, *, address: str, master_secret: str
) -> None:
    """Make database and roles as they must be, on `host`, as RDS' master user. Repeating changes nothing.

    `address` of the instance itself: a proxy knows no master user. SlipwayError: psql's own words, redacted.
    """
    master = _login(session, master_secret)
    sql = roles_sql(plan)
    argv = ["sh", "-c", _RUN, "roles", _target(address, master.username)]
    done = host.connection.run(argv, f"{master.password}\n{sql}".encode(), timeout=SECONDS)
    if done.code != 0:
        names = (DATABASE_OWNER, DATABASE_APP, *((DATABASE_PREVIEWS,) if plan.stack.previews else ()))
        hidden = [master.password, *(plan.secret(name) for name in names)]
        raise SlipwayError(
            f"the database's roles could not be made from {host.name}",
            remedy="can the host reach it? `slipway drift` compares the security groups",
            details=_redacted(done.stderr, hidden).splitlines()[-8:],
        )


def ensure_proxy_login(session: AwsSession, plan: FleetPlan, secret: str) -> None:
    """Write the app role's name and password where RDS Proxy reads them, unless they are there."""
    wanted = {"username": f"{plan.database}_app", "password": plan.secret(DATABASE_APP)}
    try:
        held = _login(session, secret)
    except AwsRefused as refused:
        if refused.code != "ResourceNotFoundException":  # it has no value yet
            raise
        held = Login("", "")
    if held != Login(**wanted):
        session.call("secretsmanager", "put_secret_value", SecretId=secret, SecretString=json.dumps(wanted))


def roles_sql(plan: FleetPlan) -> str:
    """Roles, database and rights. Holds verifiers, no passwords."""
    from hosts.data.scram import verifier  # noqa: PLC0415 - the set-up's own modules, imported by `up` only
    from hosts.render import render  # noqa: PLC0415

    owner, app = f"{plan.database}_owner", f"{plan.database}_app"
    maker = previews_role(plan.database) if plan.stack.previews else ""
    return render(
        "data/rds_roles.sql.j2",
        database=plan.database,
        owner=owner,
        app=app,
        owner_verifier=verifier(owner, plan.secret(DATABASE_OWNER)),
        app_verifier=verifier(app, plan.secret(DATABASE_APP)),
        maker=maker,
        maker_verifier=verifier(maker, plan.secret(DATABASE_PREVIEWS)) if maker else "",
    )


def previews_role(database: str) -> str:
    """The role that makes previews' databases and roles, and can drop no others."""
    return f"{database}_previews"


def previews_server(database: str, address: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """How a host signs in as that role: `target`, what psql connects to, and `password`."""
    return {"target": _target(address, previews_role(database)), "password": secrets[DATABASE_PREVIEWS]}


def _target(address: str, user: str) -> str:
    return (
        f"host={address} port={POSTGRES_PORT} dbname=postgres user={user} "
        f"sslmode=verify-full sslrootcert={CA_ON_HOSTS} connect_timeout=10"
    )


def _login(session: AwsSession, secret: str) -> Login:
    found = json.loads(session.call("secretsmanager", "get_secret_value", SecretId=secret)["SecretString"])
    return Login(found["username"], found["password"])


def _redacted(text: str, hidden: list[str]) -> str:
    """Without passwords and without the lines of SQL that psql quotes, which hold verifiers."""
    for value in hidden:
        text = text.replace(value, "***")
    return "\n".join(line for line in text.splitlines() if "SCRAM-SHA-256" not in line)


# Redis' password on AWS: ElastiCache is asked to demand it, without the value ever reaching Pulumi's state.
#
# Redis itself is asked, from a host, whether that is still to be done: ElastiCache's own flags do not say
# whether the token is ours.


Strategy = Literal["ROTATE", "SET"]

CHANGE_SECONDS = 1200
"""A change of the token takes ElastiCache some minutes."""
POLL_SECONDS = 5.0

# Prints whether Redis talks to strangers, and whether it takes the token; all is said over TLS.
_PROBE = """
import json, socket, ssl, sys
asked = json.load(sys.stdin)
def say(*words):
    with socket.create_connection((asked["host"], asked["port"]), 10) as plain, \\
            ssl.create_default_context().wrap_socket(plain, server_hostname=asked["host"]) as tls:
        tls.settimeout(10)
        text = "*%d\\r\\n" % len(words) + "".join("$%d\\r\\n%s\\r\\n" % (len(word), word) for word in words)
        tls.sendall(text.encode())
        return tls.recv(200).decode(errors="replace")
open_to_all = say("PING").startswith("+PONG")
print(json.dumps({"open": open_to_all, "known": say("AUTH", asked["token"]).startswith("+OK")}))
"""


@dataclass(frozen=True)
class Door:
    """How Redis answers: to those who say nothing, and to our token."""

    open: bool
    known: bool


def steps(door: Door) -> list[Strategy]:
    """What ElastiCache is to be asked, in this order. Pure.

    ROTATE adds a token beside what was valid before; SET makes it the only valid one.
    """
    if door.open:
        return ["SET"] if door.known else ["ROTATE", "SET"]
    # Another token is in use, perhaps by the live release: it must stay valid until the next one.
    return [] if door.known else ["ROTATE"]


def ensure_token(
    session: AwsSession, group: str, url: str, token: str, host: FleetHost, progress: Progress
) -> None:
    """Have the Redis at `url` (replication group `group`) take `token`, as seen from `host`.

    SlipwayError: Redis cannot be asked; NeedsPerson: ElastiCache does not come to an end.
    """
    wanted = steps(ask(host, url, token))
    for strategy in wanted:
        progress.line(f"Redis: {_REPORTED[strategy]}; this takes ElastiCache some minutes")
        session.call(
            "elasticache", "modify_replication_group", ReplicationGroupId=group, AuthToken=token,
            AuthTokenUpdateStrategy=strategy, ApplyImmediately=True,
        )  # fmt: skip
        _wait(session, group)
    if wanted == ["ROTATE"]:
        progress.line("Redis: the token before stays valid too (docs/aws.md says how to end that)")


_REPORTED: dict[Strategy, str] = {
    "ROTATE": "the token becomes valid",
    "SET": "the token becomes the only valid one",
}


def ask(host: FleetHost, url: str, token: str) -> Door:
    """Which passwords Redis accepts from `host`."""
    place = urlsplit(url.replace("${", "").replace("}", ""))  # the placeholder of the password is no URL
    asked = json.dumps({"host": place.hostname, "port": place.port or 6379, "token": token})
    done = host.connection.run(["python3", "-I", "-c", _PROBE], asked.encode(), timeout=60)
    if done.code != 0:
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1].replace(token, "***")
        raise SlipwayError(
            f"{host.name} cannot ask Redis at {place.hostname}: {last}",
            remedy="does its security group let the hosts in? `slipway drift` compares",
        )
    said = json.loads(done.stdout)
    return Door(open=said["open"], known=said["known"])


def _wait(session: AwsSession, group: str) -> None:
    ends = time.monotonic() + CHANGE_SECONDS
    status = "unknown"
    while time.monotonic() < ends:
        found = session.call("elasticache", "describe_replication_groups", ReplicationGroupId=group)
        facts = found["ReplicationGroups"][0]
        status = facts["Status"]
        if status == "available" and not facts.get("PendingModifiedValues", {}).get("AuthTokenStatus"):
            return
        time.sleep(POLL_SECONDS)
    raise NeedsPerson(
        f"ElastiCache's {group} is still {status} after {CHANGE_SECONDS // 60} minutes",
        remedy="look at its events in the AWS console; then slipway up again",
    )


# Uploads on R2: the secret key that belongs to the stack's token, made without Pulumi's state ever using it.
#
# Pulumi creates the token and so learns its first value. That value is rolled here before it is used:
# Cloudflare answers with a new one, of which the SHA-256 is the secret key, and the first one is void.
# https://developers.cloudflare.com/r2/api/tokens/


API = "https://api.cloudflare.com/client/v4"
API_TOKEN = "CLOUDFLARE_API_TOKEN"  # noqa: S105 - the name of a variable, not its value
"""Environment variable; also what Pulumi asks Cloudflare with. It must be allowed to edit account tokens."""
SECRET_KEY = "PLATFORM_UPLOADS_SECRET_KEY"  # noqa: S105 - the name of an entry, not its value
TOKEN_ID = "PLATFORM_UPLOADS_ACCESS_KEY"  # noqa: S105 - the name of an entry, not its value
"""Entry with the id of the token whose key is held: another token has another key."""
_TIMEOUT = 20.0


def ensure_uploads_key(
    store: SecretStore, account: str, token: str, environment: Mapping[str, str], api: str = API
) -> bool:
    """Put the secret key of `token` (its id, the access key) into `store`; False if it is there already.

    Raises BadInput without CLOUDFLARE_API_TOKEN, or if Cloudflare does not let it roll the token's value.
    """
    held = store.read()
    if held.get(TOKEN_ID) == token and held.get(SECRET_KEY):
        return False
    api_token = environment.get(API_TOKEN, "")
    if not api_token:
        raise BadInput(
            f"uploads are on R2, and {API_TOKEN} is not set",
            remedy=f"export {API_TOKEN}: a token that may edit the account's API tokens",
        )
    value = _roll(api, account, token, api_token)
    # Both in one write: a key without its token's name would be made again, and running hosts cut off.
    store.update({SECRET_KEY: secret_key(value), TOKEN_ID: token})
    return True


def secret_key(value: str) -> str:
    """What S3 clients sign with, of a token's value."""
    return hashlib.sha256(value.encode()).hexdigest()


def _roll(api: str, account: str, token: str, api_token: str) -> str:
    place = urlsplit(api)
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    connection = kind(place.netloc, timeout=_TIMEOUT)
    headers = {"authorization": f"Bearer {api_token}", "content-type": "application/json"}
    try:
        connection.request("PUT", f"{place.path}/accounts/{account}/tokens/{token}/value", "{}", headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise SlipwayError(
            f"Cloudflare does not answer: {error}", remedy="slipway up again, when it does"
        ) from error
    finally:
        connection.close()
    if answer.status in (401, 403):
        raise BadInput(
            f"Cloudflare refuses to roll the uploads token: {answer.status}",
            remedy=f"let {API_TOKEN} edit the account's API tokens (Account API Tokens: Edit)",
        )
    value = _value(text) if answer.status == http.client.OK else ""
    if not value:
        raise SlipwayError(f"Cloudflare answered {answer.status} to rolling the uploads token {token}")
    return value


def _value(text: bytes) -> str:
    try:
        said = json.loads(text)
    except ValueError:
        return ""
    result = cast("dict[str, Any]", said).get("result") if isinstance(said, dict) else None
    return result if isinstance(result, str) else ""
