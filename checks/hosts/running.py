"""What a host really runs: its HAProxy, the processes behind it and their environments; not its records."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from checks.kit.hosts import Host, Hosts
from checks.kit.on_host import read_by
from slipway.stack import LiveStack, Role

OF_SLIPWAY = {"SLIPWAY_RELEASE", "SLIPWAY_BUILD", "SLIPWAY_HOST", "SLIPWAY_SLOT"}
OF_DEBIAN = {"GCONV_PATH", "RUBYLIB", "SLIPWAY_DEBIAN", "PHP_INI_SCAN_DIR"}
"""Variables that lead the programs of a runtime of Debian's packages to its own folders."""
OF_THE_UNIT = {"PATH", "HOME", "HOST", "PORT", "READY_FILE"}
OF_SYSTEMD = {
    "CACHE_DIRECTORY", "INVOCATION_ID", "JOURNAL_STREAM", "LANG", "LOGNAME", "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE", "NOTIFY_SOCKET", "RUNTIME_DIRECTORY", "SHELL", "SYSTEMD_EXEC_PID", "USER",
    "OLDPWD", "PWD", "SHLVL", "_",
}  # fmt: skip
"""Variables that systemd and the shell add to what a unit says."""


@dataclass(frozen=True)
class Process:
    """A process in the cgroup of one of the app's units."""

    pid: int
    unit: str
    name: str
    """Name of the process in slipway.toml."""
    slot: str
    is_main: bool
    release: int | None
    build: str
    root: str
    """The folder of builds that it was started in, as the kernel knows it."""
    program: str
    """Path of what it executes; empty: it cannot be read."""
    env: Mapping[str, str]
    """HMACs of its environment's values, by name."""


class Running:
    """What one host runs at this moment."""

    def __init__(self, host: str, read: dict[str, Any], key: str) -> None:
        self.host = host
        self._read = read
        self._key = key.encode()

    @cached_property
    def processes(self) -> list[Process]:
        return [Process(**each) for each in self._read["processes"]]

    @property
    def serving(self) -> str:
        """The slot that HAProxy's memory says is live; empty on a host without HAProxy."""
        return self._read["map"].get("active", "")

    @property
    def after_a_restart(self) -> str:
        """The slot that the file of HAProxy's map says is live."""
        return self._read["map_file"].get("active", "")

    @property
    def recorded(self) -> str:
        """The slot that the agent noted as live."""
        return self._read["active"] or ""

    @property
    def slots(self) -> dict[str, dict[str, Any]]:
        """State, release, configuration and time of change of each slot, as the agent noted them."""
        return self._read["slots"]

    @property
    def answered_by(self) -> str:
        """HAProxy's backend that got a request which was sent to the host; empty: none is in its log."""
        return self._read["answered_by"]

    def behind(self, slot: str) -> list[tuple[str, Process | None]]:
        """HAProxy's servers of `slot` that it uses: address and port, and the app's process that listens."""
        by_pid = {each.pid: each for each in self.processes}
        found: list[tuple[str, Process | None]] = []
        for place in self._read["servers"].get(slot, []):
            pids = self._read["listeners"].get(place.rpartition(":")[2], [])
            found.append((place, next((by_pid[pid] for pid in pids if pid in by_pid), None)))
        return found

    def env_file(self, slot: str, scope: str) -> Mapping[str, str] | None:
        """HMACs of the values in an env file, by name; None: there is no such file."""
        return self._read["env_files"].get(slot, {}).get(scope)

    def differing(self, held: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
        """Names that `held` (HMACs) and `wanted` (values) do not have with the same value."""
        marks = {
            name: hmac.new(self._key, value.encode("utf-8", "surrogateescape"), "sha256").hexdigest()
            for name, value in wanted.items()
        }
        return sorted(name for name in {*held, *marks} if held.get(name) != marks.get(name))


def read_running(live: LiveStack, hosts: Hosts) -> dict[str, Running]:
    """What every host that has processes of the app runs, by name; one command a host, all at once."""
    key = secrets.token_hex(16)

    def read(host: Host) -> dict[str, Any]:
        return read_by(host, _PROGRAM, key=key, site=live.host_name, nonce=secrets.token_hex(8))

    return {
        name: Running(name, found, key) for name, found in hosts.each(read, *roles_of_the_app(live)).items()
    }


def roles_of_the_app(live: LiveStack) -> set[Role]:
    """The roles whose hosts run processes of the app."""
    return {cast("Role", live.app.role_of(name)) for name in live.app.processes}


def names_of(processes: Iterable[Process]) -> str:
    return ", ".join(sorted({each.unit for each in processes}))


_PROGRAM = r"""
import glob, hmac, os, re, socket, subprocess, time, urllib.error, urllib.request

def mark(value):
    return hmac.new(key.encode(), value, 'sha256').hexdigest()

def content(path):
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError:
        return b''

def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ''

def env_of(pid):
    pairs = (each.partition(b'=') for each in content(f'/proc/{pid}/environ').split(b'\0') if each)
    return {name.decode(errors='replace'): value for name, _, value in pairs}

def as_owner(pid, read):
    # As the owner of the process: root in a container may not look into processes of others.
    owner = os.stat(f'/proc/{pid}')
    out, into = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(owner.st_gid)
            os.setuid(owner.st_uid)
            os.write(into, json.dumps(read(pid)).encode())
        finally:
            os._exit(0)
    os.close(into)
    with open(out, 'rb') as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return json.loads(answer or b'null')

def links(pid):
    sockets = [link(path) for path in glob.glob(f'/proc/{pid}/fd/*')]
    return {'cwd': link(f'/proc/{pid}/cwd'), 'exe': link(f'/proc/{pid}/exe'),
            'sockets': [each[8:-1] for each in sockets if each.startswith('socket:')]}

def processes():
    found, holders = [], {}
    argv = ['systemctl', 'show', '-p', 'Id,MainPID', 'slipway-*@*.service']
    blocks = subprocess.run(argv, capture_output=True, text=True).stdout.split('\n\n')
    main = {line[8:] for block in blocks for line in block.splitlines() if line.startswith('MainPID=')}
    for pid in (name for name in os.listdir('/proc') if name.isdecimal()):
        named = re.search(rb'/(slipway-([^/]+)@(blue|green)-\d+[.]service)', content(f'/proc/{pid}/cgroup'))
        if not named:
            continue
        try:
            seen, env = as_owner(pid, links), env_of(pid)
        except OSError:
            continue  # it has just ended
        if not seen:
            continue
        release = env.get('SLIPWAY_RELEASE', b'').decode(errors='replace')
        root = re.match('/srv/slipway/builds/[^/]+', seen['cwd'])
        for inode in seen['sockets']:
            holders.setdefault(inode, []).append(int(pid))
        unit, name, slot = (each.decode() for each in named.groups())
        found.append({
            'pid': int(pid), 'unit': unit, 'name': name, 'slot': slot, 'is_main': pid in main,
            'release': int(release) if release.isdecimal() else None,
            'build': env.get('SLIPWAY_BUILD', b'').decode(errors='replace'),
            'root': root[0] if root else seen['cwd'], 'program': seen['exe'],
            'env': {name: mark(value) for name, value in env.items()}})
    return found, holders

def listeners(holders):
    ports = {}
    for table in ('/proc/net/tcp', '/proc/net/tcp6'):
        for line in content(table).decode().splitlines()[1:]:
            words = line.split()
            if words[3] == '0A':
                port = str(int(words[1].rpartition(':')[2], 16))
                ports.setdefault(port, []).extend(holders.get(words[9], []))
    return ports

def haproxy(command):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(3)
        connection.connect('/run/haproxy/admin.sock')
        connection.sendall(command.encode() + b'\n')
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b''.join(parts).decode()

def servers():
    found = {}
    lines = [line.split() for line in haproxy('show servers state').splitlines()]
    head = next(words[1:] for words in lines if words[:2] == ['#', 'be_id'])
    for words in lines:
        row = dict(zip(head, words))
        if row.get('be_name', '').startswith('slot_') and row['srv_op_state'] != '0':
            found.setdefault(row['be_name'][5:], []).append(f"{row['srv_addr']}:{row['srv_port']}")
    return found

def answered_by():
    path = f'/slipway-check-{nonce}'
    request = urllib.request.Request(f'http://127.0.0.1:8080{path}', headers={'Host': site})
    try:
        urllib.request.urlopen(request, timeout=5)
    except (OSError, urllib.error.HTTPError):
        pass
    argv = ['journalctl', '-q', '-t', 'haproxy', '-n', '300', '-o', 'cat']
    for _ in range(20):
        log = subprocess.run(argv, capture_output=True, text=True).stdout
        found = re.search(rf'slipway (\S+) .*{path}', log)
        if found:
            return found[1]
        time.sleep(0.1)
    return ''

def entries(text):
    return dict(words for words in (line.split(None, 1) for line in text.splitlines()) if len(words) == 2)

def value_of(text):
    return re.sub(r'\\(["\\`$])', r'\1', text).encode('utf-8', 'surrogateescape')

def env_files():
    found = {}
    for path in glob.glob('/etc/slipway/env/*/*.env'):
        slot, scope = path.split('/')[-2], path.split('/')[-1][:-4]
        text = content(path).decode('utf-8', 'surrogateescape')
        pairs = re.findall(r'^(\w+)="((?:[^"\\]|\\.)*)"$', text, re.S | re.M)
        known = {name: mark(value_of(value)) for name, value in pairs}
        rest = re.sub(r'^(\w+)="((?:[^"\\]|\\.)*)"$', '', text, flags=re.S | re.M)
        known.update({line.partition('=')[0].strip(): '' for line in rest.splitlines() if line.strip()})
        found.setdefault(slot, {})[scope] = known
    return found

state = json.loads(content('/var/lib/slipway/state.json') or b'{}')
slots = {name: {key: slot.get(key) for key in ('state', 'release', 'config', 'since')}
         for name, slot in state.get('slots', {}).items()}
those, holders = processes()
try:
    has_haproxy = bool(haproxy('show info'))
except OSError:
    has_haproxy = False
memory = haproxy('show map /etc/haproxy/slots.map') if has_haproxy else ''
rows = [words for words in (line.split(None, 2) for line in memory.splitlines()) if len(words) == 3]
print(json.dumps({
    'active': state.get('active'), 'slots': slots, 'processes': those, 'listeners': listeners(holders),
    'map': dict(words[1:] for words in rows),
    'map_file': entries(content('/etc/haproxy/slots.map').decode()),
    'servers': servers() if has_haproxy else {}, 'answered_by': answered_by() if has_haproxy else '',
    'env_files': env_files()}))
"""
