"""S3 by versitygw: a bucket for builds and one for uploads, each with an account that has no other rights."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json
from typing import Any

from pyinfra.context import host as current_host
from pyinfra.facts.files import File
from pyinfra.operations import files, server, systemd

from hosts.base import CA
from hosts.data.bucket_policies import buckets
from hosts.data.certificate import certificate
from hosts.operations import install, on_change
from hosts.plan import BUILDS_READER, BUILDS_WRITER, S3_ROOT, UPLOADS, FleetPlan
from hosts.render import JINJA, template
from hosts.units import daemon_reload
from slipway.settings import BadInput, Host

PACKAGES: tuple[str, ...] = ()

BINARY = "/usr/local/bin/versitygw"
USER = "versitygw"
DATA = "/var/lib/versitygw"
FOLDER = "/etc/slipway/s3"
UNIT = "/etc/systemd/system/versitygw.service"
ROOT_ACCOUNT = f"{FOLDER}/root.env"
ACCOUNTS = f"{DATA}/iam/users.json"
SETUP = "/usr/local/lib/slipway/s3-setup"
BUCKETS = f"{FOLDER}/buckets.json"


def deploy(plan: FleetPlan, host: Host) -> None:
    """Serve it, then make the buckets and their policies as root over its own API."""
    _binary(plan, host)
    server.user(  # noqa: S604 - `shell` is the login shell
        name=f"user {USER}",
        user=USER,
        system=True,
        shell="/usr/sbin/nologin",
        home=DATA,
        create_home=False,
        ensure_home=False,
    )
    for path in (DATA, f"{DATA}/iam", f"{DATA}/data"):
        files.directory(name=path, path=path, mode="750", user=USER, group=USER)
    files.template(
        name=UNIT,
        src=template("systemd/versitygw.service.j2"),
        dest=UNIT,
        mode="644",
        jinja_env_kwargs=JINJA,
        address=host.address,
        binary=BINARY,
        unix_user=USER,
    )
    daemon_reload(UNIT)
    tls = certificate(plan, host, FOLDER, USER)
    install(name=ROOT_ACCOUNT, src=root_account(plan), dest=ROOT_ACCOUNT, mode="600")
    install(name=ACCOUNTS, src=accounts(plan), dest=ACCOUNTS, user=USER, group=USER, mode="600")
    restart = "systemctl restart versitygw"
    on_change(name="versitygw restart", files=[UNIT, ROOT_ACCOUNT, ACCOUNTS, *tls], command=restart)
    systemd.service(name="versitygw", service="versitygw.service", running=True, enabled=True)
    files.put(name=SETUP, src=template("data/s3_setup.py"), dest=SETUP, mode="755")
    install(name=BUCKETS, src=buckets_json(plan), dest=BUCKETS, mode="600")
    on_change(name="s3 buckets", files=[BUCKETS, SETUP], command=f"{SETUP} < {BUCKETS}")


def _binary(plan: FleetPlan, host: Host) -> None:
    """Copy the server to a host that has none; it gets its name once it is whole."""
    if current_host.get_fact(File, path=BINARY):
        return
    if plan.versitygw is None:
        raise BadInput(f"{host.name} has no {BINARY}, and this machine has none to copy")
    files.put(name="copy versitygw", src=str(plan.versitygw), dest=f"{BINARY}.new", mode="755")
    server.shell(name=f"program {BINARY}", commands=[f"mv {BINARY}.new {BINARY}"])


def root_account(plan: FleetPlan) -> str:
    """Environment file of the server: its administrator."""
    return f"ROOT_ACCESS_KEY={S3_ROOT}\nROOT_SECRET_KEY={plan.secret('PLATFORM_S3_ROOT_SECRET_KEY')}\n"


def buckets_json(plan: FleetPlan) -> str:
    """What templates/data/s3_setup.py reads: where the server is, its administrator, and the buckets."""
    wanted = {
        "endpoint": "https://127.0.0.1:7070",
        "region": plan.outputs.builds.region,
        "ca": CA,
        "access_key": S3_ROOT,
        "secret_key": plan.secret("PLATFORM_S3_ROOT_SECRET_KEY"),
        "buckets": buckets(plan),
    }
    return json.dumps(wanted, indent=1)


def accounts(plan: FleetPlan) -> str:
    """versitygw's file of accounts (its auth/iam_internal.go). None of them may create buckets."""
    outputs = plan.outputs
    given = [
        (outputs.builds.access_key or BUILDS_WRITER, outputs.builds.secret_key_secret),
        (outputs.builds.reader_access_key or BUILDS_READER, outputs.builds.reader_secret_key_secret),
    ]
    if outputs.uploads:
        given.append((outputs.uploads.access_key or UPLOADS, outputs.uploads.secret_key_secret))
    entries: dict[str, Any] = {
        access: {
            "access": access,
            "secret": plan.secret(entry),
            "role": "user",
            "userID": 0,
            "groupID": 0,
            "projectID": 0,
        }
        for access, entry in given
        if entry
    }
    return json.dumps({"accessAccounts": entries})
