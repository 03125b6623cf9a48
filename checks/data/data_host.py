"""PostgreSQL, its pooler and Redis as they run on the stack's data host, read by one command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checks.data.services import database_url, owner_url, user_of
from checks.kit.check import not_evaluated
from checks.kit.hosts import Hosts
from checks.kit.on_host import read_by
from slipway.stack import LiveStack

Row = dict[str, Any]


@dataclass(frozen=True)
class Names:
    """What set-up called the database and its roles."""

    database: str
    owner: str
    app: str

    @property
    def roles(self) -> set[str]:
        """Every role that set-up makes."""
        return {"postgres", "pgbouncer", self.owner, self.app}


class DataHost:
    """What the data host answers. A part that cannot be read fails the checks that need it."""

    def __init__(self, read: Row, names: Names) -> None:
        self._read = read
        self.names = names

    @property
    def postgres(self) -> Row:
        """The answers of PostgreSQL's superuser; see postgres.sql."""
        found = self._part("postgres", "PostgreSQL's superuser cannot ask it on the data host")
        return {name: [] if part is None else part for name, part in found.items()}

    @property
    def pooler(self) -> Row:
        """PgBouncer's running settings (`config`), databases (`databases`), and its file (`file`)."""
        return self._part("pooler", "PgBouncer's console does not answer on the data host")

    @property
    def redis_files(self) -> dict[str, list[list[str]]]:
        """The directives of redis.conf, with what it includes, and of users.acl; no password's digest."""
        return self._part("redis", "Redis' configuration cannot be read")

    @property
    def changed(self) -> dict[str, float]:
        """When each of PostgreSQL's configuration files was last changed, in seconds since the epoch."""
        return self._read["changed"]

    @property
    def units(self) -> dict[str, Row]:
        """systemd's properties of the data services, by unit."""
        return self._read["units"]

    def _part(self, name: str, otherwise: str) -> Any:
        part = self._read[name]
        if isinstance(part, str):
            raise AssertionError(f"{otherwise}: {part}")
        return part


def read_data_host(live: LiveStack, hosts: Hosts) -> DataHost:
    """The stack's own data host; ends the check where a provider runs database and Redis."""
    of_role = hosts.of("data")
    if not of_role:
        not_evaluated("the provider runs database and Redis here; infra's controls set them")
    names = Names("", "", "")
    if live.outputs.database is not None:
        names = Names(live.outputs.database.name, user_of(owner_url(live)), user_of(database_url(live)))
    return DataHost(read_by(of_role[0], _PROGRAM, database=names.database, sql=_POSTGRES.read_text()), names)


_POSTGRES = Path(__file__).with_name("postgres.sql")

_PROGRAM = r"""
import glob, os, re, subprocess
os.chdir('/')

def run(argv, text=''):
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=8)
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or ['it fails'])[-1][:200])
    return done.stdout

def part(read):
    try:
        return read()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return str(error)

PSQL = ['runuser', '-u', 'postgres', '--', 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1']

def postgres():
    return json.loads(run([*PSQL, '-d', database], sql)) if database else {}

def console(command):
    place = ['-h', '/var/run/postgresql', '-p', '6432', '-U', 'pgbouncer', '-d', 'pgbouncer']
    argv = [*PSQL, *place, '-c', command]
    return [line.split('|') for line in run(argv).splitlines()]

def pooler():
    if not database:
        return {}
    file, databases, section = {}, [], ''
    for line in open('/etc/pgbouncer/pgbouncer.ini'):
        name, sign, value = line.partition('=')
        if line.startswith('['):
            section = line.strip()
        elif sign and not line.startswith((';', '#')):
            if section == '[pgbouncer]':
                file[name.strip()] = value.strip()
            else:
                databases.append(name.strip())
    config = {row[0]: row[1] for row in console('SHOW CONFIG')}
    return {'config': config, 'databases': console('SHOW DATABASES'), 'file': file,
            'databases_in_file': databases}

def directives(path):
    found = []
    for line in open(path):
        words = line.split()
        if not words or words[0].startswith('#'):
            continue
        if words[0] == 'include':
            for included in glob.glob(words[1]):
                found += directives(included)
        else:
            found.append(words)
    return found

def redis():
    users = [re.sub('#[0-9a-f]{64}', '#', line).split() for line in open('/etc/redis/users.acl')]
    return {'config': directives('/etc/redis/redis.conf'), 'users': [words for words in users if words]}

def units():
    wanted = ['postgresql.service', 'pgbouncer.service', 'redis-server.service', 'versitygw.service',
              'slipway-backup.timer', 'slipway-redis-tls.service']
    shown = run(['systemctl', 'show', '-p', 'Id,ActiveState,UnitFileState,LoadState', *wanted])
    blocks = [dict(line.split('=', 1) for line in each.splitlines()) for each in shown.split('\n\n') if each]
    starts = [open(path).read().split() for path in glob.glob('/etc/postgresql/*/main/start.conf')]
    last = [each[-1] for each in starts if each]
    modes = [oct(os.stat(path).st_mode & 0o7777) for path in glob.glob('/var/lib/postgresql/*/main')]
    more = {'start.conf': {'last': last}, 'cluster': {'modes': modes}}
    return {**{block['Id']: block for block in blocks}, **more}

def changed():
    files = []
    if isinstance(facts['postgres'], dict) and facts['postgres']:
        settings = facts['postgres']['settings']
        files += [settings[name]['value'] for name in ('hba_file', 'ident_file', 'config_file')]
        files += [each['file'] for each in facts['postgres']['files'] or []]
    stats = {path: os.stat(path) for path in set(files) if os.path.exists(path)}
    return {path: max(each.st_mtime, each.st_ctime) for path, each in stats.items()}

facts = {'postgres': part(postgres), 'pooler': part(pooler), 'redis': part(redis), 'units': units()}
facts['changed'] = changed()
print(json.dumps(facts))
"""
