"""A fleet of five as the set-up sees it, with real certificates and no machines."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import trustme

from hosts.plan import FleetPlan
from slipway.settings import App, Bucket, Host, Outputs, Redis, Role, SecretStore, Stack
from slipway.settings.outputs import Database
from tests.unit.hosts.live import haproxy_program

FLEET = {"edge": "edge", "web1": "web", "web2": "web", "worker1": "worker", "data1": "data"}
SECRETS = {
    name: f"{name}-value-never-to-be-seen"
    for name in (
        *("PLATFORM_DATABASE_OWNER_PASSWORD", "PLATFORM_DATABASE_APP_PASSWORD", "PLATFORM_REDIS_PASSWORD"),
        *("PLATFORM_BUILDS_SECRET_KEY", "PLATFORM_BUILDS_READER_SECRET_KEY"),
        *("PLATFORM_UPLOADS_SECRET_KEY", "PLATFORM_S3_ROOT_SECRET_KEY", "SLIPWAY_LOAD_KEY"),
    )
}


@pytest.fixture
def plan(tmp_path: Path) -> FleetPlan:
    return fleet_plan(tmp_path)


def fleet_plan(tmp_path: Path) -> FleetPlan:
    """The plan of that fleet, whose certificates are made in the folder `tmp_path`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name in ("site", "data1"):
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        leaf.private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}.pem")
    endpoint = "https://10.7.0.15:7070"
    outputs = Outputs(
        stack="local",
        platform="local",
        url="https://localhost:8443",
        hosts=[
            Host.model_validate({"name": name, "role": role, "address": f"10.7.0.{11 + i}", "ssh_host": "x"})
            for i, (name, role) in enumerate(FLEET.items())
        ],
        builds=Bucket(
            bucket="board-local-builds",
            endpoint=endpoint,
            access_key="builds-writer",
            secret_key_secret="PLATFORM_BUILDS_SECRET_KEY",
            reader_access_key="builds-reader",
            reader_secret_key_secret="PLATFORM_BUILDS_READER_SECRET_KEY",
        ),
        uploads=Bucket(
            bucket="board-local-uploads",
            endpoint=endpoint,
            public_endpoint="https://localhost:8444",
            access_key="uploads",
            secret_key_secret="PLATFORM_UPLOADS_SECRET_KEY",
        ),
        database=Database(url="postgresql://a", migrate_url="postgresql://b", name="board"),
        redis=Redis(url="redis://c", namespace="board"),
        secrets=SecretStore(kind="age", location="x"),
    )
    app = App.model_validate(
        {"name": "board", "runtime": {"name": "none"}, "processes": {"web": {"command": "x", "instances": 2}}}
    )
    return FleetPlan(
        outputs=outputs,
        app=app,
        stack=Stack(name="local", project="board", platform="local"),
        secrets=SECRETS,
        ca_file=tmp_path / "ca.pem",
        site_pem=tmp_path / "site.pem",
        host_pems={"data1": tmp_path / "data1.pem"},
        ssh_access="published",
        edge_names=("localhost", "127.0.0.1", "10.7.0.11", "edge"),
    )


def split(plan: FleetPlan, **roles: str) -> FleetPlan:
    """`plan` with other hosts: by name, their roles as the settings write them, `edge+web`."""
    pem = plan.host_pems["data1"]
    hosts = [
        Host(
            name=name,
            roles=cast("tuple[Role, ...]", tuple(its.split("+"))),
            address=f"10.7.0.{31 + i}",
            ssh_host="x",
        )
        for i, (name, its) in enumerate(roles.items())
    ]
    return replace(
        plan, outputs=plan.outputs.model_copy(update={"hosts": hosts}), host_pems=dict.fromkeys(roles, pem)
    )


def haproxy_refuses(folder: Path, text: str) -> str:
    """What HAProxy says against a configuration whose files lie in `folder`; empty if it takes it."""
    program = haproxy_program()
    config = folder / "haproxy.cfg"
    config.write_text(text)
    judged = subprocess.run([program, "-c", "-f", str(config)], capture_output=True, text=True, check=False)
    return judged.stderr + judged.stdout if judged.returncode else ""
