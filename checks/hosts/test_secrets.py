"""Where secrets are on a host, and where they are not (I9, P8, X13)."""

from __future__ import annotations

import hashlib
import json

from checks.kit.check import check, not_evaluated
from checks.kit.hosts import LiveHost
from checks.kit.leaks import MARKS, SHORT, pieces
from slipway.settings.env import misfits
from slipway.stack import LiveStack

_SEARCH = """
import hashlib, json, sys
wanted, lengths = set(json.loads('{digests}')), set(json.loads('{lengths}'))
between = str.maketrans(dict.fromkeys(json.loads(bytes.fromhex('{marks}')), ' '))
def holds(text):
    for word in set(text.translate(between).split()):
        if len(word) in lengths and hashlib.sha256(word.encode()).hexdigest() in wanted:
            return True
    return False
"""


def _program(live: LiveStack, rest: str) -> str:
    """The secrets go to hosts by no command line: only the digests of their pieces do."""
    wanted = pieces(live.secrets.values())
    digests = json.dumps([hashlib.sha256(piece.encode()).hexdigest() for piece in sorted(wanted)])
    lengths = json.dumps(sorted({len(piece) for piece in wanted}))
    search = _SEARCH.replace("{digests}", digests).replace("{lengths}", lengths)
    return search.replace("{marks}", json.dumps(MARKS).encode().hex()) + rest


@check(
    "I9",
    severity="critical",
    asvs="13.3.1",
    standard="Lynis FILE-7524",
    why="any account on the host could read the app's secrets",
    remedy="slipway release writes them 0600, root; what changed the mode?",
    roles=("web", "worker"),
)
def test_env_files_are_for_root_alone(host: LiveHost) -> None:
    loose = host.run("find /etc/slipway/env /etc/slipway/host.json -not -user root -o -perm /077").split()
    assert not loose, f"readable or writable by others: {', '.join(loose[:5])}"
    assert host.run("find /etc/slipway/env -name '*.env'").split(), "there is no env file at all"


@check(
    "I9",
    severity="critical",
    asvs="13.3.1",
    why="keys of services are as good as passwords",
    remedy="slipway up places them 0600 or 0640 for the service's own group",
)
def test_private_keys_are_for_their_service_alone(host: LiveHost) -> None:
    keys = "-name '*key*' -not -name '*.pub' -type f -perm /007"
    loose = host.run(f"find /etc/slipway /etc/haproxy /etc/ssh {keys} 2>/dev/null; true").split()
    assert not loose, f"readable by everybody: {', '.join(loose[:5])}"


@check(
    "I9",
    "P8",
    severity="critical",
    asvs="13.3.1",
    why="every user of the host sees command lines",
    remedy="give secrets by environment or standard input",
)
def test_no_command_line_holds_a_secret(host: LiveHost, live: LiveStack) -> None:
    rest = """
import glob
found = []
for path in glob.glob('/proc/[0-9]*/cmdline'):
    try: text = open(path, errors='replace').read()
    except OSError: continue
    if holds(text): found.append(text.replace('\\0', ' ')[:40])
print(json.dumps(found))
"""
    found = json.loads(host.python(_program(live, rest)))
    assert not found, f"the command lines of {len(found)} processes hold a secret: {found[0].split()[0]} …"


@check(
    "P8",
    "X13",
    severity="critical",
    asvs="16.2.5",
    why="logs are copied to places that nobody guards like a secret store",
    remedy="log ids, never bodies, headers and URLs with credentials",
)
def test_no_log_holds_a_secret(host: LiveHost, live: LiveStack) -> None:
    rest = """
import subprocess
asked = ['journalctl', '--no-pager', '-o', 'cat', '-n', '20000']
log = subprocess.run(asked, capture_output=True, errors='replace', text=True)
lines = [line[:60] for line in set(log.stdout.splitlines()) if holds(line)]
print(json.dumps(len(lines)))
"""
    found = json.loads(host.python(_program(live, rest)))
    assert not found, f"{found} lines of the newest 20,000 hold a secret"


@check(
    "I9",
    "I7",
    severity="high",
    asvs="13.3.2",
    why="a process that has what it does not need loses it when it is broken into",
    remedy="scope = […] in [env] of slipway.toml",
    roles=("worker",),
)
def test_a_worker_has_no_secret_of_the_web(host: LiveHost, live: LiveStack) -> None:
    app = live.app
    web_only = [name for name, var in app.env.items() if var.secret and var.scope == ["web"]]
    if not web_only:
        not_evaluated("no secret of slipway.toml is for the web process alone")
    names = host.run("cat /etc/slipway/env/*/worker.env 2>/dev/null | cut -d= -f1; true").split()
    held = sorted(set(names) & set(web_only))
    assert not held, f"the worker's environment holds {', '.join(held)}"


@check(
    "I8",
    "P4",
    severity="critical",
    asvs="13.3.1",
    why="one leak opens both doors",
    remedy="slipway secrets generate makes new ones; slipway secrets check tells which are shared",
)
def test_no_secret_is_shared_or_weak(live: LiveStack) -> None:
    short = [
        name
        for name, var in live.app.env.items()
        if var.secret and name in live.secrets and len(live.secrets[name]) < max(var.min_length, 1)
    ]
    assert not short, f"shorter than slipway.toml asks for: {', '.join(short)}"
    by_value: dict[str, list[str]] = {}
    for name, value in live.secrets.items():
        if len(value) >= SHORT:
            by_value.setdefault(value, []).append(name)
    twins = [names for names in by_value.values() if len(names) > 1]
    assert not twins, f"the same value: {' and '.join(twins[0])}"


@check(
    "P6",
    severity="high",
    why="test keys take no money, and live keys in a preview take real money",
    remedy="stack_pattern in [env] of slipway.toml; slipway secrets set NAME",
)
def test_keys_are_of_this_stacks_kind(live: LiveStack) -> None:
    wrong = [
        f"{name}: {problem}"
        for name, var in live.app.env.items()
        if var.secret and name in live.secrets
        for problem in misfits(var, live.secrets[name], live.name)
    ]
    assert not wrong, "; ".join(wrong)
