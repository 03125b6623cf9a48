"""Is every server there, the one that was meant, and one that can be set up? Changes nothing."""

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from hosts.plan import REDIS_PORT, REDIS_TLS_PORT
from slipway.fleet.fleet import Fleet, FleetError, FleetHost
from slipway.fleet.ssh import HostDown
from slipway.platforms.data_host import PGBOUNCER_PORT, POSTGRES_PORT, S3_PORT
from slipway.progress import Progress
from slipway.settings import BadInput, NeedsPerson, Outputs, SlipwayError
from slipway.settings.debian import RELEASES
from slipway.settings.outputs import LOOPBACK

LOOK_SECONDS = 30
OLDEST = {"debian": min(RELEASES), "ubuntu": 24}
"""What the packages' versions allow: HAProxy 2.6 and PostgreSQL 15 or newer."""

# One line a fact, so that a missing one is an empty line and not another fact.
_SCRIPT = r"""
. /etc/os-release; echo "${ID:-}"; echo "${VERSION_ID:-}"; uname -m
test -d /run/systemd/system && echo yes || echo
test -x /usr/local/bin/versitygw && echo yes || echo
echo $( (hostname -I || ip -o addr show | sed -n 's/.*inet6\{0,1\} \([^ /]*\).*/\1/p') 2>/dev/null)
sed -n 's/^ *"fleet": "\(.*\)".*/\1/p' /etc/slipway/host.json 2>/dev/null || true
echo .
sed -n 's/^ *"role": "\(.*\)".*/\1/p' /etc/slipway/host.json 2>/dev/null || true
"""


@dataclass(frozen=True)
class Found:
    """What a server says of itself."""

    system: str
    version: str
    architecture: str
    has_systemd: bool
    has_s3_server: bool
    addresses: tuple[str, ...]
    fleet: str
    role: str
    """Fleet and roles that it was set up for before; empty for a new one."""


def reach(fleet: Fleet, fleet_id: str, progress: Progress) -> dict[str, Found]:
    """Ask every server at once. All problems are reported together.

    BadInput (2): a host key that is not the pinned one, an ssh key that is not accepted, or a server that
    cannot be what the settings say. SlipwayError (1): a server that does not answer.
    """

    def look(host: FleetHost) -> Found:
        done = host.connection.run(["sh", "-c", _SCRIPT], timeout=LOOK_SECONDS)
        if done.code != 0:
            raise _no_root(host, done.stderr)
        found = parse(done.stdout)
        if problems := unfit(host, found, fleet_id):
            raise BadInput(problems[0], details=problems[1:])
        progress.host(host.name, f"answers: {found.system} {found.version}, {found.architecture}")
        return found

    try:
        return fleet.each(fleet.hosts, look)
    except FleetError as error:
        raise _told(error) from None


def parse(said: str) -> Found:
    """The answer to the script."""
    system, version, architecture, systemd, s3_server, addresses, *before = said.splitlines()
    mark = before.index(".")
    return Found(
        system=system,
        version=version,
        architecture=architecture,
        has_systemd=bool(systemd),
        has_s3_server=bool(s3_server),
        addresses=tuple(addresses.split()),
        fleet="".join(before[:mark][:1]),
        role="".join(before[mark + 1 :][:1]),
    )


def unfit(host: FleetHost, found: Found, fleet_id: str) -> list[str]:
    """Why the server cannot be `host` of the fleet; nothing if it can."""
    problems: list[str] = []
    major = found.version.partition(".")[0]
    oldest = OLDEST.get(found.system)
    if oldest is None or not major.isdigit() or int(major) < oldest:
        problems.append(
            f"{host.name} runs {found.system or 'an unknown system'} {found.version}: Debian 12 or newer, or "
            "Ubuntu 24.04 or newer, is what can be set up"
        )
    if not found.has_systemd:
        problems.append(f"{host.name} was not started by systemd")
    wanted = host.facts.address
    if found.addresses and ip_address(wanted) not in {ip_address(each) for each in found.addresses}:
        problems.append(
            f"{host.name} has no address {wanted}, as the settings say, but {', '.join(found.addresses)}"
        )
    if found.fleet and found.fleet != fleet_id:
        problems.append(f"{host.name} belongs to the fleet {found.fleet}: one server is in one fleet")
    elif found.role and (taken := {*found.role.split("+")}.difference(host.facts.roles)):
        problems.append(
            f"{host.name} was set up as {found.role}, and the settings take {', '.join(sorted(taken))} "
            "from it: give the role back, or reinstall the server first"
        )
    return problems


def _no_root(host: FleetHost, said: str) -> BadInput:
    user = host.facts.ssh_user
    last = said.strip().splitlines()[-1:] or ["no answer"]
    if user == "root":
        return BadInput(f"{host.name}: a command as root failed: {last[0]}")
    return BadInput(
        f"{host.name}: {user} cannot become root without a password: {last[0]}",
        remedy=f"on the server, as root: apt-get install sudo; echo '{user} ALL=(ALL) NOPASSWD:ALL' "
        f"> /etc/sudoers.d/{user}",
    )


_INPUT = {
    "key mismatch": "if the server was reinstalled on purpose, put its new host key into the settings; "
    "if not, find out who answers",
    "not accepted": "give your key by SLIPWAY_SSH_KEY_FILE (or SLIPWAY_SSH_KEY, its text), and put its "
    "public half into the user's ~/.ssh/authorized_keys on the server",
}
"""Kinds of failure that the user can fix in the settings, and how."""


def _told(error: FleetError) -> SlipwayError:
    """The exit code says whether the settings or keys are wrong, or a server is down."""
    lines: list[str] = []
    remedies: list[str] = []
    given = False
    for failure in error.failures.values():
        if isinstance(failure, SlipwayError):
            lines += [failure.message, *failure.details]
            kind = failure.kind if isinstance(failure, HostDown) else ""
            given = given or kind in _INPUT or isinstance(failure, BadInput)
            remedies += [_INPUT.get(kind) or failure.remedy]
        else:
            lines.append(str(failure))
    many = f"{len(error.failures)} servers cannot be worked with; nothing was changed"
    kind_of_error = BadInput if given else SlipwayError
    return kind_of_error(
        lines[0] if len(error.failures) == 1 else many,
        remedy=next(filter(None, remedies), ""),
        details=lines[1:] if len(error.failures) == 1 else lines,
    )


# Do the fleet's services answer every host that uses them, through every firewall in between?


SERVICE_SECONDS = 60
CONNECT_SECONDS = 3
EDGE_PORT, WEB_PORT = 443, 8443

_UNITS = {
    EDGE_PORT: "haproxy",
    WEB_PORT: "haproxy",
    POSTGRES_PORT: "postgresql@*",
    PGBOUNCER_PORT: "pgbouncer",
    REDIS_PORT: "redis-server",
    REDIS_TLS_PORT: "slipway-redis-tls",
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
    from hosts.firewall import OPENINGS  # noqa: PLC0415 - the set-up's own modules, imported by `up` only

    absent = {
        *((POSTGRES_PORT, PGBOUNCER_PORT) if outputs.database is None else ()),
        *((REDIS_PORT,) if outputs.redis is None or outputs.redis_clients else ()),
        *(() if outputs.redis_clients else (REDIS_TLS_PORT,)),
    }
    found: list[Way] = []
    for opening in OPENINGS:
        if opening.port not in _UNITS or opening.port in absent:
            continue
        for target in outputs.by_role(opening.role):
            clients = [host for host in outputs.hosts if host.is_any(*opening.to) and host is not target]
            found += [
                Way(source.name, target.name, target.address, opening.port) for source in (target, *clients)
            ]
    # The app's own way to Redis, and on the data host what the proxies lead to.
    for host in (*outputs.by_role("data"), *outputs.redis_clients) if outputs.redis_clients else ():
        found.append(Way(host.name, host.name, LOOPBACK, REDIS_PORT))
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
