"""The app's database and its two roles, made through a host: the database is open to nobody else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slipway.fleet.fleet import FleetHost
from slipway.platforms.aws.failures import AwsRefused
from slipway.platforms.aws.session import AwsSession
from slipway.platforms.fleet_setup.data_services import CA_ON_HOSTS, POSTGRES_PORT
from slipway.platforms.fleet_setup.platform_secrets import DATABASE_APP, DATABASE_OWNER
from slipway.settings.errors import SlipwayError

if TYPE_CHECKING:
    from hosts.plan import FleetPlan

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
    target = (
        f"host={address} port={POSTGRES_PORT} dbname=postgres user={master.username} "
        f"sslmode=verify-full sslrootcert={CA_ON_HOSTS} connect_timeout=10"
    )
    done = host.connection.run(
        ["sh", "-c", _RUN, "roles", target], f"{master.password}\n{sql}".encode(), timeout=SECONDS
    )
    if done.code != 0:
        hidden = [master.password, *(plan.secret(name) for name in (DATABASE_OWNER, DATABASE_APP))]
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
    return render(
        "data/rds_roles.sql.j2",
        database=plan.database,
        owner=owner,
        app=app,
        owner_verifier=verifier(owner, plan.secret(DATABASE_OWNER)),
        app_verifier=verifier(app, plan.secret(DATABASE_APP)),
    )


def _login(session: AwsSession, secret: str) -> Login:
    found = json.loads(session.call("secretsmanager", "get_secret_value", SecretId=secret)["SecretString"])
    return Login(found["username"], found["password"])


def _redacted(text: str, hidden: list[str]) -> str:
    """Without passwords and without the lines of SQL that psql quotes, which hold verifiers."""
    for value in hidden:
        text = text.replace(value, "***")
    return "\n".join(line for line in text.splitlines() if "SCRAM-SHA-256" not in line)
