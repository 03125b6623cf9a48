"""The stack outputs of a local fleet, composed from its settings and its hosts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway.local import platform_secrets as names
from slipway.local.layout import LocalHost
from slipway.local.ports import LOOPBACK
from slipway.settings.outputs import Bucket, Database, Host, Outputs, Redis, SecretStore
from slipway.settings.stack import Stack

CA_ON_HOSTS = "/etc/slipway/ca.pem"
S3_PORT, POSTGRES_PORT, PGBOUNCER_PORT, REDIS_PORT = 7070, 5432, 6432, 6379


def compose_outputs(
    stack: Stack, hosts: Sequence[LocalHost], host_keys: Mapping[str, str], *, state_dir: Path, secrets: Path
) -> Outputs:
    """What the local fleet promises to the pipeline; `secrets` is where the stack's encrypted file lies."""
    data = next(host for host in hosts if host.role == "data")
    local = stack.local
    endpoint = f"https://{data.address}:{S3_PORT}"
    database = stack.project.replace("-", "_")
    return Outputs(
        stack=stack.name,
        platform="local",
        url=_url(stack.domain, local.https_port),
        connect=f"{LOOPBACK}:{local.https_port}",
        ca_file=str(state_dir / "tls/ca.pem"),
        hosts=[_host(host, host_keys[host.name]) for host in hosts],
        ssh_config=str(state_dir / "ssh_config"),
        builds=Bucket(
            bucket=f"{stack.fleet_id}-builds",
            endpoint=endpoint,
            tunnel=data.name,
            access_key="builds-writer",
            secret_key_secret=names.BUILDS,
            reader_access_key="builds-reader",
            reader_secret_key_secret=names.BUILDS_READER,
        ),
        uploads=Bucket(
            bucket=f"{stack.fleet_id}-uploads",
            endpoint=endpoint,
            public_endpoint=_url(stack.domain, local.uploads_port),
            tunnel=data.name,
            access_key="uploads",
            secret_key_secret=names.UPLOADS,
        )
        if stack.uploads
        else None,
        database=Database(
            url=_postgres(
                f"{database}_app", names.DATABASE_APP, f"{data.address}:{PGBOUNCER_PORT}", database
            ),
            migrate_url=_postgres(
                f"{database}_owner", names.DATABASE_OWNER, f"{data.address}:{POSTGRES_PORT}", database
            ),
            app_role=f"{database}_app",
            name=database,
            ca_file=CA_ON_HOSTS,
            backup_host=data.name,
        )
        if stack.database == "postgres"
        else None,
        redis=Redis(
            url=f"redis://:${{secret:{names.REDIS}}}@{data.address}:{REDIS_PORT}/0", namespace=stack.fleet_id
        )
        if stack.redis
        else None,
        secrets=SecretStore(kind="age", location=str(secrets)),
    )


def _host(host: LocalHost, key: str) -> Host:
    return Host(
        name=host.name,
        role=host.role,
        address=host.address,
        ssh_host=LOOPBACK,
        ssh_port=host.ssh_port,
        ssh_user="root",
        host_key=key,
    )


def _url(domain: str, port: int) -> str:
    return f"https://{domain}" if port == 443 else f"https://{domain}:{port}"


def _postgres(role: str, password: str, where: str, database: str) -> str:
    return f"postgres://{role}:${{secret:{password}}}@{where}/{database}?sslmode=verify-full"
