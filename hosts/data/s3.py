"""S3 by versitygw: a bucket for builds and one for uploads, and an account each with only its own rights."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json
from typing import Any

from pyinfra.context import host as current_host
from pyinfra.facts.files import File
from pyinfra.operations import files as files_operations
from pyinfra.operations import server

from hosts.base import CA
from hosts.data.bucket_policies import buckets
from hosts.data.certificate import certificate_files
from hosts.effect import Effect, Placed, running, take_up
from hosts.file import HostFile
from hosts.folders import Folder, folders
from hosts.plan import BUILDS_READER, BUILDS_WRITER, S3_ROOT, UPLOADS, FleetPlan
from hosts.render import render, verbatim
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Host

PACKAGES: tuple[str, ...] = ()

BINARY = "/usr/local/bin/versitygw"
USER = "versitygw"
FOLDER = "/etc/slipway/s3"
UNIT = "/etc/systemd/system/versitygw.service"
ROOT_ACCOUNT = f"{FOLDER}/root.env"
ACCOUNTS = "/var/lib/versitygw/iam/users.json"
SETUP = "/usr/local/lib/slipway/s3-setup"
BUCKETS = f"{FOLDER}/buckets.json"


def files(plan: FleetPlan, host: Host) -> list[HostFile]:
    """Unit, certificate, accounts and what the buckets shall be like."""
    root = plan.secret("PLATFORM_S3_ROOT_SECRET_KEY")
    wanted = {
        "endpoint": "https://127.0.0.1:7070",
        "region": plan.outputs.builds.region,
        "ca": CA,
        "access_key": S3_ROOT,
        "secret_key": root,
        "buckets": buckets(plan),
    }
    return [
        HostFile(
            UNIT, render("systemd/versitygw.service.j2", address=host.address, binary=BINARY, user=USER)
        ),
        *certificate_files(plan, host, FOLDER, USER),
        HostFile(ROOT_ACCOUNT, f"ROOT_ACCESS_KEY={S3_ROOT}\nROOT_SECRET_KEY={root}\n", "0600"),
        HostFile(ACCOUNTS, accounts(plan), "0600", USER, USER),
        HostFile(SETUP, verbatim("data/s3_setup.py"), "0755"),
        HostFile(BUCKETS, json.dumps(wanted, indent=1), "0600"),
    ]


def users(plan: FleetPlan, host: Host) -> None:
    """Its user, its folders, and the program if the host has none."""
    server.user(  # noqa: S604 - `shell` is the login shell
        name=f"user {USER}", user=USER, system=True, shell="/usr/sbin/nologin", home="/var/lib/versitygw",
        create_home=False,
    )  # fmt: skip
    paths = ("/var/lib/versitygw", "/var/lib/versitygw/iam", "/var/lib/versitygw/data")
    folders(name="folders of S3", wanted=[Folder(path, "750", USER) for path in paths])
    if current_host.get_fact(File, path=BINARY):
        return
    if plan.versitygw is None:
        raise BadInput(f"{host.name} has no {BINARY}, and there is none to copy there")
    files_operations.put(name=f"program {BINARY}", src=str(plan.versitygw), dest=BINARY, mode="755")


def effects(_plan: FleetPlan, _host: Host, placed: Placed) -> list[Effect]:
    """Serve it, then make the buckets and their policies as root over its own API."""
    server_files = [placed[path] for path in (UNIT, ROOT_ACCOUNT, ACCOUNTS)]
    server_files += [file for path, file in placed.items() if path.startswith(f"{FOLDER}/server.")]
    return [
        take_up("versitygw restart", server_files, "systemctl restart versitygw"),
        running("versitygw.service"),
        take_up("s3 buckets", [placed[BUCKETS], placed[SETUP]], f"{SETUP} < {BUCKETS}"),
    ]


def accounts(plan: FleetPlan) -> str:
    """versitygw's own file of accounts (auth/iam_internal.go). None of them may make buckets."""
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
