"""Do the fleet's services answer every host that uses them, through every firewall in between?"""

import json
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from slipway.fleet.fleet import Fleet, FleetHost
from slipway.platforms.data_host import PGBOUNCER_PORT, POSTGRES_PORT, REDIS_PORT, S3_PORT
from slipway.settings import NeedsPerson, Outputs

SERVICE_SECONDS = 60
CONNECT_SECONDS = 3
EDGE_PORT, WEB_PORT = 443, 8080

_UNITS = {
    EDGE_PORT: "haproxy",
    WEB_PORT: "haproxy",
    POSTGRES_PORT: "postgresql@*",
    PGBOUNCER_PORT: "pgbouncer",
    REDIS_PORT: "redis-server",
    S3_PORT: "versitygw",
}
# Prints the targets that no connection can be made to, once all answer or time is up.
_PROBE = f"""
import json, socket, sys, time
wanted, ends = json.load(sys.stdin), time.monotonic() + {SERVICE_SECONDS}
def silent(target):
    try:
        socket.create_connection((target[0], target[1]), {CONNECT_SECONDS}).close()
    except OSError:
        return True
while True:
    wanted = [target for target in wanted if silent(target)]
    if not wanted or time.monotonic() > ends:
        break
    time.sleep(0.3)
print(json.dumps(wanted))
"""


@dataclass(frozen=True)
class Way:
    """A connection that must be possible: from a host to a port of a host, which may be itself."""

    source: str
    target: str
    address: str
    port: int


def ways(outputs: Outputs) -> list[Way]:
    """All connections that the fleet lives on: each service from its own host, and from who uses it."""
    from hosts.firewall import ANYONE, OPENINGS  # noqa: PLC0415 - the set-up's own modules, imported by `up` only

    absent = {
        *((POSTGRES_PORT, PGBOUNCER_PORT) if outputs.database is None else ()),
        *((REDIS_PORT,) if outputs.redis is None else ()),
    }
    found: list[Way] = []
    for opening in OPENINGS:
        if opening.port not in _UNITS or opening.port in absent:
            continue
        for target in (host for host in outputs.hosts if host.role == opening.role):
            sources = [target]
            if ANYONE not in opening.to:
                sources += [host for host in outputs.hosts if host.role in opening.to]
            found += [Way(source.name, target.name, target.address, opening.port) for source in sources]
    return found


def wait_for_services(fleet: Fleet, outputs: Outputs) -> None:
    """Return once every way is open; NeedsPerson names the service that is silent, or the wall in between."""
    every = ways(outputs)
    sources = [host for host in fleet.hosts if any(way.source == host.name for way in every)]
    # First each host's own services: what does not answer at home needs no firewall to be silent.
    for own in (True, False):
        asked = [way for way in every if (way.source == way.target) is own]
        shut = _shut(fleet, sources, asked)
        if not shut:
            continue
        way = shut[0]
        host = fleet.host(way.target)
        if own:
            unit = _UNITS[way.port]
            raise NeedsPerson(
                f"{way.target}: {unit.rstrip('@*')} does not answer on port {way.port}",
                details=_journal(host, unit),
                remedy=f"ssh -F {outputs.ssh_config} {way.target} systemctl --failed; then slipway up again",
            )
        raise NeedsPerson(
            f"{way.source} cannot reach {way.target} at {way.address}:{way.port}, which answers at home",
            details=[f"{each.source} → {each.target} {each.address}:{each.port}" for each in shut[1:]],
            remedy="let the provider's firewall pass this inside the private network (docs/servers.md)",
        )


def site_problem(outputs: Outputs) -> str | None:
    """Why the site cannot be reached over TLS from this machine; None if it can."""
    address, _, port = outputs.connect.rpartition(":")
    name = urlsplit(outputs.url).hostname or ""
    context = ssl.create_default_context(cafile=outputs.ca_file or None)
    ends = time.monotonic() + 2 * CONNECT_SECONDS
    while True:
        try:
            with (
                socket.create_connection((address, int(port)), CONNECT_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname=name),
            ):
                return None
        except ssl.SSLCertVerificationError as problem:
            said = f"its certificate is not valid: {problem.verify_message}"
        except OSError as problem:
            said = str(problem)
        if time.monotonic() > ends:
            return f"{name} at {outputs.connect}: {said}"
        time.sleep(0.5)  # a reload takes a moment


def unresolved(names: Sequence[str]) -> list[str]:
    """Those of `names` that lead nowhere yet."""

    def leads(name: str) -> bool:
        try:
            return bool(socket.getaddrinfo(name, EDGE_PORT))
        except OSError:
            return False

    return [name for name in names if not leads(name)]


def _shut(fleet: Fleet, sources: Sequence[FleetHost], asked: Sequence[Way]) -> list[Way]:
    by_source = {host.name: [way for way in asked if way.source == host.name] for host in sources}
    asking = [host for host in sources if by_source[host.name]]

    def probe(host: FleetHost) -> list[Way]:
        targets = json.dumps([[way.address, way.port] for way in by_source[host.name]])
        done = host.connection.run(
            ["python3", "-I", "-c", _PROBE], targets.encode(), timeout=4 * SERVICE_SECONDS
        )
        silent: list[list[object]] = json.loads(done.stdout)
        return [way for way in by_source[host.name] if [way.address, way.port] in silent]

    found: Mapping[str, list[Way]] = fleet.each(asking, probe)
    return [way for host in asking for way in found[host.name]]


def _journal(host: FleetHost, unit: str) -> list[str]:
    done = host.connection.run(["journalctl", "--no-pager", "--lines=8", "--output=cat", f"--unit={unit}"])
    return done.stdout.splitlines()
