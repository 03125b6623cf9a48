"""Is a local fleet healthy: does sshd answer on every host, do the data services, does the edge speak TLS?"""

import socket
import ssl
import time
from collections.abc import Callable, Sequence

from hosts.plan import REDIS_PORT
from slipway.platforms.data_host import PGBOUNCER_PORT, POSTGRES_PORT, S3_PORT
from slipway.platforms.local.containers import INOTIFY_REMEDY, Containers
from slipway.platforms.local.docker import DockerError
from slipway.platforms.local.network import LOOPBACK, LocalHost
from slipway.progress import Progress
from slipway.settings import NeedsPerson, Outputs

SSH_SECONDS = 30.0
SERVICE_SECONDS = 60.0
RELEASE_SECONDS = 60.0


def wait_for_ssh(fleet: Containers, hosts: Sequence[LocalHost]) -> None:
    """Return once every host's sshd answers on its published port."""
    for host in hosts:
        if not _until(SSH_SECONDS, lambda port=host.ssh_port: _greets(port)):
            raise NeedsPerson(
                f"{host.name}: no sshd on {LOOPBACK}:{host.ssh_port} after {SSH_SECONDS:.0f} s",
                details=_journal(fleet, host.name, "ssh"),
                remedy=_why_no_boot(fleet, host),
            )


def wait_for_services(fleet: Containers, outputs: Outputs) -> None:
    """Return once PostgreSQL, PgBouncer, Redis, S3 and the edge answer; else NeedsPerson with a log."""
    data, edge = outputs.by_role("data")[0], outputs.by_role("edge")[0].name
    services = [("versitygw", S3_PORT)]
    if outputs.database:
        services += [("postgresql@*", POSTGRES_PORT), ("pgbouncer", PGBOUNCER_PORT)]
    if outputs.redis:
        services.append(("redis-server", REDIS_PORT))
    silent: list[tuple[str, int]] = []

    def all_answer() -> bool:
        silent[:] = _silent(fleet, data.name, data.address, services)
        return not silent

    if not _until(SERVICE_SECONDS, all_answer):
        unit, port = silent[0]
        raise NeedsPerson(
            f"{data.name}: {unit.rstrip('@*')} does not answer on port {port}",
            details=_journal(fleet, data.name, unit),
            remedy=f"see docker exec {fleet.container(data.name)} systemctl --failed, then slipway up again",
        )
    if not _until(SERVICE_SECONDS, lambda: _speaks_tls(outputs)):
        raise NeedsPerson(
            f"{edge}: no TLS with our certificate at {outputs.connect}",
            details=_journal(fleet, edge, "haproxy"),
            remedy=f"see docker exec {fleet.container(edge)} systemctl --failed, then slipway up again",
        )


def wait_for_releases(fleet: Containers, hosts: Sequence[LocalHost], progress: Progress) -> None:
    """Return once the web hosts among `hosts` serve the release they served before; those without one do not.

    A release that does not come back is said and no error: the next release may be its remedy.
    """
    waiting = [host for host in hosts if "web" in host.roles and _has_release(fleet, host)]
    _until(RELEASE_SECONDS, lambda: all(_serves(fleet, host) for host in waiting))
    for host in waiting:
        if not _serves(fleet, host):
            progress.line(f"{host.name}: its release does not serve yet; see slipway status")


def _has_release(fleet: Containers, host: LocalHost) -> bool:
    script = "jq -r '.active // empty' /var/lib/slipway/state.json 2>/dev/null || true"
    return bool(fleet.docker.execute(fleet.container(host.name), script).strip())


def _serves(fleet: Containers, host: LocalHost) -> bool:
    """Asked as the edge asks, on the host itself."""
    url = f"http://{host.address}:8080/-/slipway/ready"
    script = f"curl --silent --output /dev/null --max-time 3 --write-out '%{{http_code}}' {url} || true"
    return fleet.docker.execute(fleet.container(host.name), script).strip() == "200"


def _why_no_boot(fleet: Containers, host: LocalHost) -> str:
    """A host that starts again and again never got as far as a log: its systemd had no inotify instance."""
    if fleet.states()[host.name].state == "restarting":
        return f"{INOTIFY_REMEDY}, then slipway up again"
    return f"docker logs {fleet.container(host.name)}, then slipway up again"


def _until(seconds: float, true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _greets(port: int) -> bool:
    """Docker's proxy accepts before the host listens, so the greeting is what counts."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _silent(
    fleet: Containers, host: str, address: str, services: Sequence[tuple[str, int]]
) -> list[tuple[str, int]]:
    """The services that refuse connections, asked on the host itself: its firewall keeps us out."""
    ports = " ".join(str(port) for _, port in services)
    script = f"for port in {ports}; do nc -z -w 2 {address} $port || echo $port; done"
    try:
        refused = fleet.docker.execute(fleet.container(host), script).split()
    except DockerError:
        return list(services)
    return [(unit, port) for unit, port in services if str(port) in refused]


def _speaks_tls(outputs: Outputs) -> bool:
    address, _, port = outputs.connect.rpartition(":")
    name = outputs.url.removeprefix("https://").partition(":")[0]
    context = ssl.create_default_context(cafile=outputs.ca_file)
    try:
        with (
            socket.create_connection((address, int(port)), timeout=3) as plain,
            context.wrap_socket(plain, server_hostname=name),
        ):
            return True
    except OSError:
        return False


def _journal(fleet: Containers, host: str, unit: str) -> list[str]:
    """The last lines a unit logged."""
    try:
        text = fleet.docker.execute(
            fleet.container(host), f"journalctl --no-pager --lines 8 --output cat --unit '{unit}'"
        )
    except DockerError as error:
        return [error.message]
    return text.splitlines()
